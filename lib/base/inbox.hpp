// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>

namespace tendril::detail {

/// What other threads leave for one: lock-free, any number of producers, one consumer, linked
/// through `T::next`. Once closed it refuses, so nothing can be left where nobody will look.
template <typename T>
class inbox {
public:
    /// False if the inbox is closed; the item then still belongs to the caller. Sequentially
    /// consistent, because the consumer announces its sleep and then looks here once more: one of
    /// the two must see the other.
    bool push(T* item) noexcept {
        T* head = head_.load(std::memory_order_relaxed);
        do {
            if (head == closed_mark()) {
                return false;
            }
            item->next = head;
        } while (!head_.compare_exchange_weak(head, item, std::memory_order_seq_cst,
                                              std::memory_order_relaxed));
        return true;
    }

    bool empty() const noexcept {
        T* head = head_.load(std::memory_order_seq_cst);
        return head == nullptr || head == closed_mark();
    }

    /// All items, oldest first, as a list linked through `next`. A closed inbox stays closed: only
    /// the consumer, who calls this, could open it.
    T* take_all() noexcept {
        T* head = head_.load(std::memory_order_relaxed);
        return head == nullptr || head == closed_mark() ? nullptr : take(nullptr);
    }

    T* close() noexcept { return take(closed_mark()); } ///< like take_all, and refuses from now on
    void reopen() noexcept { head_.store(nullptr, std::memory_order_release); }

private:
    static T* closed_mark() noexcept { return reinterpret_cast<T*>(alignof(T)); }

    T* take(T* replacement) noexcept {
        T* newest = head_.exchange(replacement, std::memory_order_acq_rel);
        T* oldest = nullptr;
        while (newest != nullptr && newest != closed_mark()) {
            T* older = newest->next;
            newest->next = oldest;
            oldest = newest;
            newest = older;
        }
        return oldest;
    }

    std::atomic<T*> head_{nullptr};
};

} // namespace tendril::detail
