// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/stack.hpp"

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace tendril::detail {

/// Calls a function on a stack, without a hub and without what context.cpp does besides.
inline void run_on_stack(stack& s, std::function<void()> function) {
    namespace boost_context = boost::context;
    struct no_allocator {
        static void deallocate(boost_context::stack_context&) noexcept {}
    };
    boost_context::stack_context memory;
    memory.sp = s.top();
    memory.size = static_cast<std::size_t>(s.top() - s.base);
    boost_context::fiber(std::allocator_arg,
                         boost_context::preallocated(memory.sp, memory.size, memory),
                         no_allocator{},
                         [&](boost_context::fiber&& caller) {
                             function();
                             return std::move(caller);
                         })
        .resume();
}

} // namespace tendril::detail
