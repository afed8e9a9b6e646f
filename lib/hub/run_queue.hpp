// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/record.hpp"

#include <cstddef>

namespace tendril::detail {

/// First in, first out, linked through the records.
class run_queue {
public:
    bool empty() const noexcept { return head_ == nullptr; }
    std::size_t size() const noexcept { return size_; }

    fiber_record* front() const noexcept { return head_; }

    void push(fiber_record* r) noexcept {
        r->next = nullptr;
        *tail_ = r;
        tail_ = &r->next;
        ++size_;
    }

    fiber_record* pop() noexcept {
        fiber_record* r = head_;
        if (r != nullptr) {
            head_ = r->next;
            if (head_ == nullptr) {
                tail_ = &head_;
            }
            --size_;
        }
        return r;
    }

    /// pop() and then push(r), for a queue that is not empty.
    fiber_record* exchange(fiber_record* r) noexcept {
        fiber_record* first = head_;
        r->next = nullptr;
        *tail_ = r;
        tail_ = &r->next;
        head_ = first->next;
        return first;
    }

    void clear() noexcept {
        head_ = nullptr;
        tail_ = &head_;
        size_ = 0;
    }

    run_queue() = default;
    run_queue(const run_queue&) = delete;
    run_queue& operator=(const run_queue&) = delete;

private:
    // Not head and tail side by side: the compiler would write both with one vector store, from
    // which the next yield's load of the head has to wait longer.
    fiber_record* head_ = nullptr;
    std::size_t size_ = 0;
    fiber_record** tail_ = &head_;
};

} // namespace tendril::detail
