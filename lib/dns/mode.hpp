// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace tendril::detail::dns {

/// TENDRIL_RESOLVER.
enum class resolver_mode : std::uint8_t {
    ares,   ///< names are asked for by c-ares on the hub; what only libc can do goes to a thread
    thread, ///< libc's resolver, on a worker thread
    block   ///< libc's resolver, right here: the hub stands still
};

/// Read once. An unknown name is reported on stderr with those that are valid; `ares` stands.
resolver_mode mode();

} // namespace tendril::detail::dns
