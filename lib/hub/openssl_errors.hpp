// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"

#include <new>

namespace tendril::detail {

/// OpenSSL keeps a queue of errors per thread; fibers shall each have their own as soon as a
/// program uses it. It is no dependency: we look whether it is in the process.
namespace openssl {

enum class found : unsigned char {
    no,     ///< not in the process
    unused, ///< there, but nobody has called it: to do so would end the time for some settings
    yes,    ///< per fiber from now on
    unknown ///< it keeps its errors in a way that we do not know
};

/// For the hub of this thread. Looks again only if libraries were loaded since. Throws
/// std::bad_alloc.
found look(hub_core& hub);

/// The same when there is no hurry.
inline void look_again(hub_core& hub) noexcept {
    try {
        look(hub);
    } catch (const std::bad_alloc&) {
    }
}

/// OpenSSL is there, and this thread may be about to use it: look() before each wait.
inline thread_local constinit bool awaited [[gnu::tls_model("initial-exec")]] = false;

} // namespace openssl
} // namespace tendril::detail
