// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "sync/waiting.hpp"

#include <tendril/detail/channel_core.hpp>

namespace tendril::detail {

/// One who waits at a channel, with what to move from or room to move into. While it is won and not
/// yet runnable, its winner may use both.
struct channel_waiter : waiter {
    void* value = nullptr;
    std::size_t index = 0;         ///< of the case in its select
    std::size_t* chosen = nullptr; ///< where a select learns which of its cases it was
};

/// The lock of a channel, whose word holds nothing else.
struct channel_lock : bare_lock {
    explicit channel_lock(wait_queue& q) noexcept
        : bare_lock(q.word) {}
};

/// An attempt at an operation. Unless it must wait, what is left to do must happen after the lock
/// is released: hand the element over, for to move it is the user's code, and wake the peer.
struct channel_step {
    outcome how = outcome::done;
    bool must_wait = false;
    bool hand_over = false;         ///< from or to the peer, without the ring
    channel_waiter* peer = nullptr; ///< won
};

/// The channel's operations in parts. Everything here but finish() under the channel's lock.
struct channel_access {
    static wait_queue& queue(channel_core& c) noexcept { return c.queue_; }
    static waiter*& waiting(channel_core& c, bool sends) noexcept {
        return sends ? c.senders_ : c.queue_.first;
    }

    static channel_step try_step(channel_core& c, bool sends, void* value) noexcept {
        return sends ? try_send(c, value) : try_receive(c, value);
    }
    static channel_step try_send(channel_core& c, void* value) noexcept;
    static channel_step try_receive(channel_core& c, void* room) noexcept;
    static void finish(channel_core& c, const channel_step& step, bool sends, void* value) noexcept;

    /// When there is no ring, or it is full or empty, or somebody waits.
    static outcome run(channel_core& c, bool sends, void* value, time_point deadline);

    // To and from the ring.
    static void push(channel_core& c, void* value) noexcept;
    static void pop(channel_core& c, void* room) noexcept;

private:
    static void move(const channel_core& c, void* to, void* from) noexcept;
    static channel_waiter* win(waiter*& first) noexcept;
};

inline constexpr const char* waits_to_send = "channel (to send)";
inline constexpr const char* waits_to_receive = "channel (to receive)";

} // namespace tendril::detail
