// SPDX-License-Identifier: BSL-1.0
// A fiber that waits here does not wait in the kernel, so the kernel gives it no EINTR. Signal
// handlers that ran on this thread are told to the hub, which ends the waits that they would end.
#include "hub/hub_core.hpp"

namespace tendril::detail {

/// Async-signal-safe.
void hub_core::signalled(bool restarts) noexcept {
    signals_.note(switches_, restarts);
    if (mailbox_.sleeping.exchange(false, std::memory_order_seq_cst)) {
        reactor_->interrupt();
    }
}

void hub_core::interrupt_waits() noexcept {
    signals_.looked();
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
    records_.for_each(interrupt);
}

} // namespace tendril::detail
