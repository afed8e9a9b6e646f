// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"

#include <tendril/thread_state.hpp>

#include <vector>

namespace tendril::detail {

/// What is registered on a hub to be kept per fiber. The thread always has the state of one fiber,
/// `of_`; it changes when another goes on or begins, and all others' are in their `fiber_values`.
/// On a hub without one of these, nothing at all happens at a switch.
class kept_states {
public:
    explicit kept_states(fiber_record& running) noexcept
        : of_(&running)
        , room_(&main_) {}

    bool has(const thread_state& state) const noexcept;
    void add(fiber_record& running, const thread_state& state);

    /// The thread's state becomes that of `to`, which is about to run. Without memory a fiber loses
    /// its own whenever it waits.
    void change_to(fiber_record& to) noexcept;

    /// The last that this fiber has to do with it.
    void ended(const fiber_record& r) noexcept;

private:
    std::vector<void*>& room_of(fiber_record& r);

    std::vector<thread_state> all_;
    std::vector<void*> main_; ///< of the main fiber, and of guests
    fiber_record* of_;        ///< null: of one that has ended, or has no room
    std::vector<void*>* room_;
};

} // namespace tendril::detail
