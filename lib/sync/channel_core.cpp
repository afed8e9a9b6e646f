// SPDX-License-Identifier: BSL-1.0
#include "sync/channel_access.hpp"

#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <system_error>

namespace tendril::detail {

// ------------------------------------------------------------------------------------------- ring

inline void channel_access::move(const channel_core& c, void* to, void* from) noexcept {
    if (c.type_.move != nullptr) {
        c.type_.move(to, from);
    } else if (c.type_.size == sizeof(std::uint64_t)) { // as most are; a call of memcpy costs more
        std::memcpy(to, from, sizeof(std::uint64_t));
    } else {
        std::memcpy(to, from, c.type_.size);
    }
}

inline void channel_access::push(channel_core& c, void* value) noexcept {
    std::size_t at = c.first_ + c.count_;
    at -= at >= c.capacity_ ? c.capacity_ : 0;
    move(c, c.ring_ + at * c.type_.size, value);
    ++c.count_;
}

inline void channel_access::pop(channel_core& c, void* room) noexcept {
    void* const oldest = c.ring_ + c.first_ * c.type_.size;
    move(c, room, oldest);
    if (c.type_.destroy != nullptr) {
        c.type_.destroy(oldest);
    }
    c.first_ = c.first_ + 1 == c.capacity_ ? 0 : c.first_ + 1;
    --c.count_;
}

// ------------------------------------------------------------------------------------------ steps

namespace {
constexpr channel_step must_wait{outcome::done, true};
}

inline channel_waiter* channel_access::win(waiter*& first) noexcept {
    auto* const peer = static_cast<channel_waiter*>(win_first(first));
    if (peer != nullptr && peer->chosen != nullptr) {
        *peer->chosen = peer->index;
    }
    return peer;
}

channel_step channel_access::try_send(channel_core& c, void* value) noexcept {
    if (c.closed_) {
        return {outcome::closed};
    }
    if (channel_waiter* const peer = win(c.queue_.first)) {
        return {outcome::done, false, true, peer};
    }
    if (c.count_ == c.capacity_) {
        return must_wait;
    }
    push(c, value);
    return {};
}

channel_step channel_access::try_receive(channel_core& c, void* room) noexcept {
    if (c.count_ == 0) {
        if (channel_waiter* const peer = win(c.senders_)) { // of a channel without a buffer
            return {outcome::done, false, true, peer};
        }
        return c.closed_ ? channel_step{outcome::closed} : must_wait;
    }
    pop(c, room);
    channel_waiter* const peer = win(c.senders_);
    if (peer != nullptr) {
        push(c, peer->value);
    }
    return {outcome::done, false, false, peer};
}

void channel_access::finish(channel_core& c, const channel_step& step, bool sends,
                            void* value) noexcept {
    if (step.peer == nullptr) {
        return;
    }
    if (step.hand_over) {
        void* const to = sends ? step.peer->value : value;
        void* const from = sends ? value : step.peer->value;
        move(c, to, from);
    }
    hub_core::make_runnable(*step.peer->who.fiber);
}

// ------------------------------------------------------------------------------------- operations

outcome channel_access::run(channel_core& c, bool sends, void* value, time_point deadline) {
    hub_core* hub = hub_core::current_or_null();
    alignas(channel_waiter) unsigned char room[sizeof(channel_waiter)]; // filled if it is needed
    channel_waiter* node = nullptr;
    while (node == nullptr) {
        const bool may_wait = hub != nullptr && !is_past(*hub, deadline);
        channel_step step;
        {
            const channel_lock lock(c.queue_);
            step = try_step(c, sends, value);
            if (step.must_wait && may_wait) {
                node = ::new (static_cast<void*>(room)) channel_waiter;
                node->value = value;
                enlist(waiting(c, sends), *node, *hub);
            }
        }
        if (!step.must_wait) {
            finish(c, step, sends, value);
            charge_turn();
            return step.how;
        }
        if (!may_wait) {
            if (hub != nullptr || deadline == at_once) {
                charge_turn();
                return outcome::timeout;
            }
            hub = &hub_core::current();
        }
    }
    const wait_reason why{wait_kind::sync, sends ? waits_to_send : waits_to_receive, -1, &c};
    const wake end = hub->park(node->who, why, deadline);
    if (end == wake::ready) {
        return outcome::done;
    }
    if (end != wake::closed) {
        const channel_lock lock(c.queue_);
        remove_waiter(waiting(c, sends), *node);
    }
    return outcome_of(end, why);
}

channel_core::channel_core(const element_type& type, std::size_t capacity)
    : type_(type)
    , capacity_(capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / 2 / type.size) {
        throw std::bad_array_new_length();
    }
    if (capacity != 0) {
        ring_ = static_cast<unsigned char*>(
            ::operator new (capacity* type.size, std::align_val_t{type.align}));
    }
}

channel_core::~channel_core() {
    if (const std::size_t waiting = count_waiting(queue_.first) + count_waiting(senders_);
        waiting != 0 && !outlived_by_process(this)) {
        die_awaited(waiting, "channel", this);
    }
    for (; count_ != 0 && type_.destroy != nullptr; --count_) {
        type_.destroy(ring_ + first_ * type_.size);
        first_ = first_ + 1 == capacity_ ? 0 : first_ + 1;
    }
    ::operator delete (ring_, std::align_val_t{type_.align});
}

outcome channel_core::send(void* value, time_point deadline) {
    if (capacity_ != 0) {
        const channel_lock lock(queue_);
        if (count_ < capacity_ && queue_.first == nullptr && !closed_) {
            channel_access::push(*this, value);
            value = nullptr;
        }
    }
    if (value != nullptr) {
        return channel_access::run(*this, true, value, deadline);
    }
    charge_turn();
    return outcome::done;
}

outcome channel_core::receive(void* room, time_point deadline) {
    if (capacity_ != 0) {
        const channel_lock lock(queue_);
        if (count_ != 0 && senders_ == nullptr) {
            channel_access::pop(*this, room);
            room = nullptr;
        }
    }
    if (room != nullptr) {
        return channel_access::run(*this, false, room, deadline);
    }
    charge_turn();
    return outcome::done;
}

void channel_core::close() noexcept {
    won_fibers won;
    const channel_lock lock(queue_);
    closed_ = true;
    for (waiter** list : {&queue_.first, &senders_}) {
        while (waiter* const w = win_first(*list, wake::closed)) {
            const auto& peer = static_cast<channel_waiter&>(*w);
            if (peer.chosen != nullptr) {
                *peer.chosen = peer.index;
            }
            won.add(peer.who);
        }
    }
}

bool channel_core::closed() const noexcept {
    const channel_lock lock(queue_);
    return closed_;
}

bool channel_core::drained() const noexcept {
    const channel_lock lock(queue_);
    return closed_ && count_ == 0;
}

std::size_t channel_core::size() const noexcept {
    const channel_lock lock(queue_);
    return count_;
}

void throw_channel_closed() {
    throw std::system_error(EPIPE, std::system_category(), "send to a closed channel");
}

void throw_no_channel() {
    throw std::system_error(EINVAL, std::system_category(), "this end belongs to no channel");
}

} // namespace tendril::detail
