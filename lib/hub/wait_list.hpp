// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/record.hpp"

namespace tendril::detail {

/// One wait of one fiber, linked into what it waits for; on the waiting fiber's stack.
struct waiter {
    waiter* prev = nullptr;
    waiter* next = nullptr;
    ticket who;
    bool linked = false;
};

/// Linked like a waiter, but no fiber waits here at present: it is told instead of woken. Its `who`
/// stays empty.
struct watcher : waiter {
    /// Called when it has been taken out, under the lock of the list. Returns a fiber that it won,
    /// or null. It may free the watcher, and must not wait nor switch.
    fiber_record* (*told)(watcher&) noexcept = nullptr;
};

// A list of waiters is a pointer to its first node: circular, first in, first out. Locking is the
// business of whoever owns the list.

inline void push_waiter(waiter*& first, waiter& w) noexcept {
    if (first == nullptr) {
        w.prev = w.next = &w;
        first = &w;
    } else {
        w.prev = first->prev;
        w.next = first;
        w.prev->next = &w;
        w.next->prev = &w;
    }
    w.linked = true;
}

/// No-op unless linked.
inline void remove_waiter(waiter*& first, waiter& w) noexcept {
    if (!w.linked) {
        return;
    }
    if (w.next == &w) {
        first = nullptr;
    } else {
        w.prev->next = w.next;
        w.next->prev = w.prev;
        if (first == &w) {
            first = w.next;
        }
    }
    w.linked = false;
}

inline waiter* pop_waiter(waiter*& first) noexcept {
    waiter* w = first;
    if (w != nullptr) {
        remove_waiter(first, *w);
    }
    return w;
}

} // namespace tendril::detail
