// SPDX-License-Identifier: BSL-1.0
#pragma once

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace tendril::detail {

/// True as long as the process never had a second thread, so that plain loads and stores may stand
/// for atomic exchanges (what std::shared_ptr does; glibc 2.32, single_threaded.h). Never true
/// again once false.
inline bool single_threaded() noexcept {
#if __has_include(<sys/single_threaded.h>)
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

} // namespace tendril::detail
