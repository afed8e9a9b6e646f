// SPDX-License-Identifier: BSL-1.0
#include <tendril/version.hpp>

namespace tendril {
inline namespace v1 {

const char* version() noexcept {
    return TENDRIL_LIBRARY_VERSION;
}

} // namespace v1
} // namespace tendril
