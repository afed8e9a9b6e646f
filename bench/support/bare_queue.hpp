// SPDX-License-Identifier: BSL-1.0
#pragma once

// The floor of `switch` and `spawn`: the least that a first-in-first-out scheduler on Boost.Context
// does. No errno, no exception state, no clock, no reactor, no guard pages, one thread, no errors.
//
// Everything in it was chosen by measuring: fcontext beats the public boost::context::fiber by 10
// to 20 %, a list through dense records beats a ring, and stacks from malloc, whose tops lie at
// different offsets in their pages, beat page-aligned ones two to one at 1,000 fibers (page-aligned
// tops share a few sets of the first cache). Records are reused with their stacks.

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>
#include <cstdlib>
#include <deque>
#include <functional>
#include <utility>

namespace bench {

struct bare_fiber {
    boost::context::detail::fcontext_t context = nullptr;
    bare_fiber* next = nullptr;
    bare_fiber* joiner = nullptr;
    std::function<void()> function;
    bool done = false;
    char* stack_top = nullptr;
};

class bare_queue {
public:
    using fiber = bare_fiber;

    /// The caller gives it back by join().
    static fiber* spawn(std::function<void()> function) {
        fiber* f = free_;
        if (f != nullptr) {
            free_ = f->next;
        } else {
            f = &fibers_.emplace_back();
            f->stack_top = static_cast<char*>(std::malloc(stack_size)) + stack_size;
        }
        f->joiner = nullptr;
        f->done = false;
        f->function = std::move(function);
        f->context = boost::context::detail::make_fcontext(f->stack_top, stack_size, main_of_fiber);
        push(f);
        return f;
    }

    static void yield() {
        fiber* self = running_;
        push(self);
        leave(self);
    }

    static void join(fiber* f) {
        if (!f->done) {
            f->joiner = running_;
            leave(running_);
        }
        f->next = free_;
        free_ = f;
    }

private:
    static constexpr std::size_t stack_size = 64 * 1024;

    static void push(fiber* f) {
        f->next = nullptr;
        if (tail_ != nullptr) {
            tail_->next = f;
        } else {
            head_ = f;
        }
        tail_ = f;
    }

    static fiber* pop() {
        fiber* f = head_;
        head_ = f->next;
        if (head_ == nullptr) {
            tail_ = nullptr;
        }
        return f;
    }

    /// Whoever is resumed notes where the one before it stopped.
    static void leave(fiber* self) {
        running_ = pop();
        landed(boost::context::detail::jump_fcontext(running_->context, self));
    }

    static void landed(boost::context::detail::transfer_t from) {
        static_cast<fiber*>(from.data)->context = from.fctx;
    }

    static void main_of_fiber(boost::context::detail::transfer_t from) {
        landed(from);
        fiber* self = running_;
        self->function();
        self->done = true;
        if (self->joiner != nullptr) {
            push(self->joiner);
        }
        leave(self);
    }

    static inline fiber main_;
    static inline fiber* running_ = &main_;
    static inline fiber* head_ = nullptr;
    static inline fiber* tail_ = nullptr;
    static inline fiber* free_ = nullptr;
    static inline std::deque<fiber> fibers_;
};

} // namespace bench
