// SPDX-License-Identifier: BSL-1.0
#include <tendril/fiber.hpp>

#include "api/hub_access.hpp"
#include "hub/task_access.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tendril {
namespace {

void check_stack_size(const spawn_options& options) {
    if (options.stack_size == detail::default_stack_size) {
        return;
    }
    const std::size_t least = detail::minimum_stack_size();
    if (options.stack_size < least || options.stack_size > detail::maximum_stack_size) {
        throw std::invalid_argument(
            "spawn" + (options.name.empty() ? "" : " \"" + options.name + '"') + ": stack size " +
            std::to_string(options.stack_size) + " is not between " + std::to_string(least) +
            " and " + std::to_string(detail::maximum_stack_size) + " bytes");
    }
}

} // namespace

namespace detail {

void throw_no_fiber() {
    throw std::system_error(EINVAL, std::system_category(), "this handle refers to no fiber");
}

[[gnu::noinline]] void launch(task& t, const spawn_options& options, const hub* on,
                              const void* from) {
    from = from != nullptr ? from : __builtin_return_address(0);
    try {
        check_stack_size(options);
        // Who only spawns elsewhere needs no hub.
        hub_core* const here = on == nullptr ? &hub_core::current() : hub_core::current_or_null();
        task_access::begin(t, here != nullptr ? here->next_id() : hub_core::single_id());
        task_access::set_name(t, options.name.c_str());
        if (on == nullptr || &hub_access::core(*on) == here) {
            if (on != nullptr && on->ended()) {
                throw std::system_error(ESRCH, std::system_category(),
                                        "spawn on a hub that has ended");
            }
            here->spawn(t, options.stack_size, from);
        } else if (!hub_access::core(*on).spawn_remote(t, options.stack_size,
                                                       hub_access::generation(*on), from)) {
            throw std::system_error(ESRCH, std::system_category(), "spawn on a hub that has ended");
        }
    } catch (...) {
        t.release();
        throw;
    }
}

[[gnu::noinline]] void launch(task& t) {
    try {
        hub_core& here = hub_core::current();
        task_access::begin(t, here.next_id());
        here.spawn(t, default_stack_size, __builtin_return_address(0));
    } catch (...) {
        t.release();
        throw;
    }
}

} // namespace detail

inline namespace v1 {

std::size_t minimum_stack_size() noexcept {
    return detail::minimum_stack_size();
}

namespace this_fiber {

namespace {

/// Not inlined into yield(), where no call but the last may need a stack frame.
[[gnu::noinline]] void yield_at_first_or_given_up() {
    detail::hub_core& hub = detail::hub_core::current();
    hub.throw_if_given_up();
    hub.yield();
}

} // namespace

void yield() {
    detail::hub_core* const hub = detail::hub_core::current_or_null();
    if (hub == nullptr || hub->may_have_given_up()) [[unlikely]] {
        yield_at_first_or_given_up();
    } else {
        hub->yield();
    }
}

void sleep_until(std::chrono::steady_clock::time_point deadline) {
    detail::hub_core& hub = detail::hub_core::current();
    if (hub.sleep_until(deadline) == detail::wake::cancelled) {
        hub.throw_if_given_up();
    }
}

std::uint64_t id() {
    return detail::hub_core::current().running_id();
}

std::string name() {
    detail::hub_core& hub = detail::hub_core::current();
    if (const detail::task* job = hub.running().job; job != nullptr) {
        return job->name();
    }
    return &hub.running() == &hub.main_fiber() ? "main" : "";
}

} // namespace this_fiber
} // namespace v1
} // namespace tendril
