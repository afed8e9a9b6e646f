// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/cancellation.hpp"

#include <tendril/detail/group_core.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <vector>

namespace tendril::detail {

/// How a task becomes a member: added before it is launched, then one of the two.
struct group_access {
    static group_child& add(const group_membership& in, task& t);
    static void launched(group_core& g, task& t) noexcept;
    static void not_launched(group_child& c) noexcept;

    static fiber_record* ended(group_child& c) noexcept;
    static void cancel_members(group_core& g, const char* reason) noexcept;
    static bool is_member(group_core& g, const task* t) noexcept;
    static void remove(group_core& g, group_child& c) noexcept;
    static void wait(group_core& g, bool cancellable);
    static group_child* take_failed(group_core& g) noexcept;
    static std::size_t count_failed(group_core& g) noexcept;
    /// `first`, if it is one, and what has been kept.
    static std::vector<std::exception_ptr> take_errors(group_core& g,
                                                       const std::exception_ptr& first);
    /// Returns the one there was.
    static std::shared_ptr<scope_link> set_body(group_core& g, std::shared_ptr<scope_link> body);
};

} // namespace tendril::detail
