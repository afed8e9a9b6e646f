// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tendril::detail {

using time_point = std::chrono::steady_clock::time_point;
inline constexpr time_point never = time_point::max();

/// What a timer belongs to, for whoever fires it.
enum class timer_of : std::uint8_t { wait, scope };

/// A pending deadline. It lives in its owner (usually on the stack of the fiber that waits), is
/// linked while pending, and allocates nothing, so setting and cancelling cannot fail.
struct timer {
    time_point deadline = never;
    timer* prev = nullptr;
    timer* next = nullptr;
    timer* child = nullptr;
    std::uint32_t order = 0; ///< of entry into the heap, among equal deadlines
    std::int8_t place = -1;  ///< -1 idle, 0 near heap, > 0 a wheel slot's level + 1
    timer_of fires = timer_of::wait;

    bool pending() const noexcept { return place >= 0; }
};

/// Deadlines in order, cheap with a million pending: those of the current millisecond and before in
/// a pairing heap (exact order), those beyond in a hierarchical wheel (insert and cancel O(1)),
/// from which they fall towards the heap as their slot comes due. Equal deadlines fire in order of
/// insertion. One thread only.
class timer_queue {
public:
    explicit timer_queue(time_point now) noexcept;

    /// `t` must be idle, and its deadline must not change while it is pending. A deadline in the
    /// past is due at once; `never` is pending like any other and does not come due.
    void insert(timer& t) noexcept;
    void remove(timer& t) noexcept; ///< no-op unless pending

    /// Takes out and returns the earliest timer due at `now`, or null.
    timer* pop_due(time_point now) noexcept;

    /// When pop_due should be asked next: never later than the earliest deadline; `never` when
    /// empty. May be earlier than it (a wheel slot that must be opened).
    time_point next_event() const noexcept;

    std::size_t size() const noexcept { return size_; }
    void clear() noexcept; ///< forgets all (after fork); their owners are gone

private:
    static constexpr int tick_shift = 20; ///< a wheel tick is 2^20 ns, about a millisecond
    static constexpr int slot_bits = 6;
    static constexpr int slots = 1 << slot_bits;
    static constexpr int levels = 8; ///< (63 - 20) / 6 rounded up: every deadline has a level

    static std::uint64_t tick_of(time_point when) noexcept;
    static std::size_t slot_of(std::uint64_t tick, std::size_t level) noexcept;
    std::size_t first_level() const noexcept; ///< the lowest one in use, `levels` if none
    std::uint64_t slot_start(std::size_t level, std::size_t slot) const noexcept;

    void place(timer& t) noexcept;
    void push_near(timer& t) noexcept;
    void remove_near(timer& t) noexcept;
    void push_far(timer& t, std::uint64_t tick) noexcept;
    void remove_far(timer& t) noexcept;
    void open_slots(std::uint64_t until) noexcept;

    std::size_t size_ = 0;
    std::uint64_t tick_ = 0; ///< what is due in or before this tick is in the heap, the rest is not
    std::uint32_t entries_ = 0; ///< into the heap so far
    timer* heap_ = nullptr;
    std::array<std::uint64_t, levels> occupied_{}; ///< a bit per slot
    // A timer is in the level of the highest base-64 digit in which its tick differs from tick_, in
    // the slot of that digit's value: a function of the two, so equal deadlines share a slot. Slots
    // are circular lists, oldest first.
    std::array<std::array<timer*, slots>, levels> wheel_{};
};

} // namespace tendril::detail
