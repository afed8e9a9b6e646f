// SPDX-License-Identifier: BSL-1.0
#include "hub/kept_states.hpp"

#include "hub/fiber_values.hpp"
#include "hub/foreign_call.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

namespace tendril::detail {

bool kept_states::has(const thread_state& state) const noexcept {
    return std::any_of(all_.begin(), all_.end(), [&](const thread_state& s) {
        return s.take == state.take && s.context == state.context;
    });
}

std::vector<void*>& kept_states::room_of(fiber_record& r) {
    std::vector<void*>* room = &main_;
    if (r.job != nullptr) {
        if (r.extra->values == nullptr) {
            r.extra->values = new fiber_values;
        }
        room = &r.extra->values->kept;
    }
    room->resize(all_.size());
    return *room;
}

void kept_states::add(fiber_record& running, const thread_state& state) {
    all_.push_back(state);
    try {
        room_ = &room_of(running);
        of_ = &running;
    } catch (const std::bad_alloc&) {
        all_.pop_back();
        throw;
    }
}

void kept_states::change_to(fiber_record& to) noexcept {
    if (of_ == &to) {
        return;
    }
    const foreign_call_guard guard;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        void* const taken = all_[i].take(all_[i].context);
        if (of_ != nullptr) {
            (*room_)[i] = taken;
        } else if (taken != nullptr) {
            all_[i].drop(all_[i].context, taken);
        }
    }
    try {
        room_ = &room_of(to);
        of_ = &to;
    } catch (const std::bad_alloc&) {
        of_ = nullptr;
    }
    for (std::size_t i = 0; i < all_.size(); ++i) {
        all_[i].give(all_[i].context,
                     of_ != nullptr ? std::exchange((*room_)[i], nullptr) : nullptr);
    }
}

void kept_states::ended(const fiber_record& r) noexcept {
    if (of_ != &r) {
        return;
    }
    const foreign_call_guard guard;
    for (const thread_state& s : all_) {
        if (void* const taken = s.take(s.context)) {
            s.drop(s.context, taken);
        }
    }
    of_ = nullptr;
}

bool hub_core::keep_per_fiber(const thread_state& state) {
    if (states_ != nullptr && states_->has(state)) {
        return false;
    }
    auto first = states_ == nullptr ? std::make_unique<kept_states>(*running_) : nullptr;
    (first != nullptr ? *first : *states_).add(*running_, state);
    if (first != nullptr) {
        states_ = std::move(first);
        begins_warm_ = false;
        tell_arrivals(cells_, []() noexcept {
            hub_core& hub = *current_hub_;
            hub.states_->change_to(*hub.running_);
        });
    }
    return true;
}

/// The thread ends, and its state is that of its main fiber.
void hub_core::forget_states() noexcept {
    tell_arrivals(cells_, nullptr);
    states_.reset();
}

} // namespace tendril::detail
