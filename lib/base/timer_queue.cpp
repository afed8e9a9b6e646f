// SPDX-License-Identifier: BSL-1.0
#include "base/timer_queue.hpp"

#include <bit>
#include <cassert>

namespace tendril::detail {
namespace {

bool earlier(const timer& a, const timer& b) noexcept {
    if (a.deadline != b.deadline) {
        return a.deadline < b.deadline;
    }
    // Wraps around: both are in the heap, so they entered it less than 2^31 entries apart.
    return static_cast<std::int32_t>(a.order - b.order) < 0;
}

// The heap: `child` is a node's first child, `next` its next sibling, `prev` the sibling before it
// or, for a first child, the parent.

/// Makes the later root of two the first child of the other; either may be null.
timer* meld(timer* a, timer* b) noexcept {
    if (a == nullptr || b == nullptr) {
        return a != nullptr ? a : b;
    }
    if (earlier(*b, *a)) {
        timer* swapped = a;
        a = b;
        b = swapped;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != nullptr) {
        b->next->prev = b;
    }
    a->child = b;
    return a;
}

/// One heap of a list of siblings: neighbours in pairs, then the pairs from the last to the first.
/// That order makes removal O(log n) amortised (Fredman, Sedgewick, Sleator, Tarjan 1986).
timer* meld_siblings(timer* first) noexcept {
    timer* pairs = nullptr;
    while (first != nullptr) {
        timer* a = first;
        timer* b = a->next;
        first = b != nullptr ? b->next : nullptr;
        a->prev = a->next = nullptr;
        if (b != nullptr) {
            b->prev = b->next = nullptr;
        }
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    timer* root = nullptr;
    while (pairs != nullptr) {
        timer* following = pairs->next;
        pairs->next = nullptr;
        root = meld(root, pairs);
        pairs = following;
    }
    return root;
}

} // namespace

timer_queue::timer_queue(time_point now) noexcept
    : tick_(tick_of(now)) {}

std::uint64_t timer_queue::tick_of(time_point when) noexcept {
    const auto ns = std::chrono::nanoseconds(when.time_since_epoch()).count();
    return ns > 0 ? static_cast<std::uint64_t>(ns) >> tick_shift : 0;
}

std::size_t timer_queue::slot_of(std::uint64_t tick, std::size_t level) noexcept {
    return (tick >> (level * slot_bits)) & (slots - 1);
}

std::size_t timer_queue::first_level() const noexcept {
    std::size_t level = 0;
    while (level < levels && occupied_[level] == 0) {
        ++level;
    }
    return level;
}

/// The digits above the level are those of tick_.
std::uint64_t timer_queue::slot_start(std::size_t level, std::size_t slot) const noexcept {
    const std::size_t shift = level * slot_bits;
    return (tick_ >> shift >> slot_bits << slot_bits | slot) << shift;
}

void timer_queue::insert(timer& t) noexcept {
    assert(!t.pending());
    ++size_;
    place(t);
}

void timer_queue::remove(timer& t) noexcept {
    if (!t.pending()) {
        return;
    }
    if (t.place == 0) {
        remove_near(t);
    } else {
        remove_far(t);
    }
    t.place = -1;
    --size_;
}

timer* timer_queue::pop_due(time_point now) noexcept {
    if (heap_ == nullptr) {
        open_slots(tick_of(now));
    }
    timer* t = heap_;
    if (t == nullptr || t->deadline > now) {
        return nullptr;
    }
    remove(*t);
    return t;
}

time_point timer_queue::next_event() const noexcept {
    if (heap_ != nullptr) {
        return heap_->deadline;
    }
    const std::size_t level = first_level();
    if (level == levels) {
        return never;
    }
    const auto slot = static_cast<std::size_t>(std::countr_zero(occupied_[level]));
    const timer* first = wheel_[level][slot];
    // All other slots are later; so a timer that is alone in this one is the earliest, and its
    // sleeper need not be woken to open slots on the way.
    if (first->next == first) {
        return first->deadline;
    }
    return time_point(std::chrono::nanoseconds(slot_start(level, slot) << tick_shift));
}

void timer_queue::clear() noexcept {
    size_ = 0;
    heap_ = nullptr;
    occupied_ = {};
    wheel_ = {};
}

void timer_queue::place(timer& t) noexcept {
    const std::uint64_t tick = tick_of(t.deadline);
    if (tick <= tick_) {
        push_near(t);
    } else {
        push_far(t, tick);
    }
}

void timer_queue::push_near(timer& t) noexcept {
    t.prev = t.next = t.child = nullptr;
    t.place = 0;
    t.order = entries_++;
    heap_ = meld(heap_, &t);
}

void timer_queue::remove_near(timer& t) noexcept {
    timer* below = meld_siblings(t.child);
    t.child = nullptr;
    if (&t == heap_) {
        heap_ = below;
        return;
    }
    (t.prev->child == &t ? t.prev->child : t.prev->next) = t.next;
    if (t.next != nullptr) {
        t.next->prev = t.prev;
    }
    heap_ = meld(heap_, below);
}

void timer_queue::push_far(timer& t, std::uint64_t tick) noexcept {
    const auto highest = static_cast<std::size_t>(std::countl_zero(tick ^ tick_)) ^ 63;
    const std::size_t level = highest / slot_bits;
    const std::size_t slot = slot_of(tick, level);
    timer*& first = wheel_[level][slot];
    if (first == nullptr) {
        first = t.prev = t.next = &t;
        occupied_[level] |= std::uint64_t{1} << slot;
    } else {
        t.next = first;
        t.prev = first->prev;
        t.prev->next = t.next->prev = &t;
    }
    t.child = nullptr;
    t.place = static_cast<std::int8_t>(level + 1);
}

void timer_queue::remove_far(timer& t) noexcept {
    const auto level = static_cast<std::size_t>(t.place - 1);
    const std::size_t slot = slot_of(tick_of(t.deadline), level);
    timer*& first = wheel_[level][slot];
    if (t.next == &t) {
        first = nullptr;
        occupied_[level] &= ~(std::uint64_t{1} << slot);
        return;
    }
    t.prev->next = t.next;
    t.next->prev = t.prev;
    if (first == &t) {
        first = t.next;
    }
}

/// With an empty heap: goes forward to the first tick that has timers, or to `until`.
void timer_queue::open_slots(std::uint64_t until) noexcept {
    while (heap_ == nullptr && tick_ < until) {
        const std::size_t level = first_level();
        if (level == levels) {
            tick_ = until;
            return;
        }
        const auto slot = static_cast<std::size_t>(std::countr_zero(occupied_[level]));
        const std::uint64_t start = slot_start(level, slot);
        if (start > until) {
            // Up to here no digit changes that a timer's place depends on.
            tick_ = until;
            return;
        }
        tick_ = start;
        timer* list = wheel_[level][slot];
        wheel_[level][slot] = nullptr;
        occupied_[level] &= ~(std::uint64_t{1} << slot);
        list->prev->next = nullptr;
        while (list != nullptr) {
            timer* following = list->next;
            place(*list);
            list = following;
        }
    }
}

} // namespace tendril::detail
