// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/context.hpp"
#include "fiber/stack.hpp"

#include <functional>
#include <utility>

namespace tendril::detail {

/// Calls functions on stacks, without a hub: switches to the stack and, when the function returned,
/// back. One at a time.
class on_stack {
public:
    static void run(stack& s, std::function<void()> function) {
        adopt_thread_context(caller_);
        job_ = std::move(function);
        if (!s.entered) {
            s.entered = true;
            make_context(s, &loop);
        }
        switch_context(caller_, s.ctx);
    }

private:
    static void loop(stack& s) noexcept {
        for (;;) {
            std::exchange(job_, nullptr)();
            switch_context(s.ctx, caller_);
        }
    }

    static inline context caller_;
    static inline std::function<void()> job_;
};

} // namespace tendril::detail
