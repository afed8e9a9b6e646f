// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "shims/ops/call.hpp"
#include "stdio/stream.hpp"

#include <utility>

namespace tendril::detail::shim {

enum class locking : bool { no, yes };

/// True: nothing is needed around a step that only moves a pointer of the FILE's buffer.
inline bool needs_nothing(tendril_shim_index index) noexcept {
    hub_core* const hub = hub_core::current_or_null();
    if (must_pass(hub) || !stdio::is_alone(*hub)) {
        return false;
    }
    count(index, went::at_once);
    return true;
}

/// libc's own function, while this fiber has the FILE: the functions of an fopencookie stream may
/// wait, in shimmed calls of their own.
template <typename Original>
auto by_libc(stdio::stream& s, Original original) noexcept -> decltype(original()) {
    s.hold().keep();
    const fiber_record* const operation = std::exchange(inside, nullptr);
    const auto result = original();
    inside = operation;
    return result;
}

/// What every operation on a FILE does around its work: `work(stream)` while the fiber has it,
/// `failed` when it cannot have it. `original()` is the libc call.
template <typename Result, typename Work, typename Original>
Result on_stream(tendril_shim_index index, FILE* file, locking locks, Result failed, Work work,
                 Original original) noexcept {
    return serve(
        index,
        [&](hub_core& hub, io::options& o) -> Result {
            stdio::stream s(hub, file, locks == locking::yes, o);
            if (!s.acquire()) {
                return failed;
            }
            return stdio::is_of_bytes(file) ? work(s) : by_libc(s, original);
        },
        [&]() -> Result { return original(); });
}

/// The same for what does not fail, so it is not to be cancelled either. `closed`: another fiber
/// has closed the FILE.
template <typename Result, typename Work, typename Original>
Result on_stream_surely(tendril_shim_index index, FILE* file, Result closed, Work work,
                        Original original) noexcept {
    return serve(
        index,
        [&](hub_core& hub, io::options& o) -> Result {
            stdio::stream s(hub, file, true, o);
            if (!s.acquire(false)) {
                return closed;
            }
            return stdio::is_of_bytes(file) ? work(s) : by_libc(s, original);
        },
        [&]() -> Result { return original(); });
}

/// What is still to be written is written in the hub; true also where that is libc's business.
inline bool flushed(stdio::stream& s) noexcept {
    const FILE* const file = s.file();
    return stdio::is_of_bytes(file)
               ? stdio::flush(s)
               : !stdio::is_wide(file) || !s.may_wait() || stdio::flush_wide(s);
}

} // namespace tendril::detail::shim
