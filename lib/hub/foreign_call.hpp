// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

namespace tendril::detail {

/// Where this thread's shim keeps the pointer to its operations; null when no shim is attached. The
/// shim's operations set it when they attach to a thread.
extern thread_local constinit const void** shim_slot [[gnu::tls_model("initial-exec")]];

/// Held around a call into a library that knows nothing of fibers (c-ares, libc's resolver): what
/// that library calls goes to libc directly, so it can neither park nor come back to us. The fiber
/// must not switch while one is held.
class foreign_call_guard {
public:
    foreign_call_guard() noexcept
        : slot_(shim_slot)
        , saved_(slot_ != nullptr ? std::exchange(*slot_, nullptr) : nullptr) {}
    ~foreign_call_guard() {
        if (slot_ != nullptr) {
            *slot_ = saved_;
        }
    }
    foreign_call_guard(const foreign_call_guard&) = delete;
    foreign_call_guard& operator=(const foreign_call_guard&) = delete;

private:
    const void** slot_;
    const void* saved_;
};

} // namespace tendril::detail
