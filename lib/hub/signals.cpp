// SPDX-License-Identifier: BSL-1.0
// A fiber that waits here does not wait in the kernel, so the kernel gives it no EINTR. Signal
// handlers that ran on this thread are told to the hub, which ends the waits that they would end.
#include "hub/hub_core.hpp"

namespace tendril::detail {

/// Async-signal-safe. A fiber that begins to wait after this was not interrupted: hence the count.
void hub_core::signalled(bool restarts) noexcept {
    any_handler_at_.store(switches_, std::memory_order_relaxed);
    if (!restarts) {
        unrestarted_at_.store(switches_, std::memory_order_relaxed);
    }
    has_signals_.store(true, std::memory_order_seq_cst);
    if (sleeping_.exchange(false, std::memory_order_seq_cst)) {
        reactor_->interrupt();
    }
}

void hub_core::interrupt_waits() noexcept {
    has_signals_.store(false, std::memory_order_relaxed);
    const auto interrupt = [this](fiber_record& r) {
        if (r.waiting == nullptr || !is_interrupted(*r.waiting)) {
            return;
        }
        const ticket present{&r, r.word.load(std::memory_order_acquire)};
        if ((present.value & ticket_state_mask) == ticket_waiting) {
            wake_up(present, wake::interrupted);
        }
    };
    interrupt(main_);
    for (const record_slab& slab : slabs_) {
        for (std::size_t i = 0; i < records_per_slab; ++i) {
            interrupt(slab.records[i]);
        }
    }
}

} // namespace tendril::detail
