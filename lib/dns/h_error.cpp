// SPDX-License-Identifier: BSL-1.0
#include "dns/h_error.hpp"

#include <tendril/thread_state.hpp>

#include <cstdint>
#include <netdb.h>
#include <new>
#include <utility>

namespace tendril::detail::dns {

namespace {

constexpr thread_state kept = {
    [](void*) { return reinterpret_cast<void*>(std::intptr_t{std::exchange(h_errno, 0)}); },
    [](void*, void* code) { h_errno = static_cast<int>(reinterpret_cast<std::intptr_t>(code)); },
    [](void*, void*) {},
    nullptr,
};

} // namespace

void set_h_errno(hub_core& hub, int code) noexcept {
    if (code != h_errno) {
        try {
            hub.keep_per_fiber(kept);
        } catch (const std::bad_alloc&) {
        }
        h_errno = code;
    }
}

} // namespace tendril::detail::dns
