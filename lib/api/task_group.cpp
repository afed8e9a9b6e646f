// SPDX-License-Identifier: BSL-1.0
#include <tendril/task_group.hpp>

#include "hub/task_access.hpp"
#include "sync/group_core.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace tendril {

namespace detail {

void launch(task& t, const spawn_options& options, const hub* on, const group_membership& in) {
    group_child* member = nullptr;
    try {
        member = &group_access::add(in, t);
    } catch (...) {
        t.release();
        throw;
    }
    try {
        launch(t, options, on, __builtin_return_address(0));
    } catch (...) {
        group_access::not_launched(*member);
        throw;
    }
    group_access::launched(in.group, t);
}

void group_core::throw_errors(const std::exception_ptr& first) {
    std::vector<std::exception_ptr> all = group_access::take_errors(*this, first);
    if (all.size() == 1) {
        std::rethrow_exception(all.front());
    }
    if (!all.empty()) {
        throw task_errors(std::move(all));
    }
}

void throw_group_cancelled() {
    throw std::system_error(ECANCELED, std::system_category(),
                            "with_task_group: the group was cancelled");
}

void throw_never_started() {
    throw std::logic_error("task_group::start: the task ended without saying that it is ready");
}

} // namespace detail

inline namespace v1 {
namespace {

std::string describe(const std::vector<std::exception_ptr>& errors) {
    std::string text = std::to_string(errors.size()) + " tasks failed: ";
    const char* separator = "";
    for (const std::exception_ptr& e : errors) {
        text += std::exchange(separator, "; ") + detail::task_access::describe(e);
    }
    return text;
}

} // namespace

task_errors::task_errors(std::vector<std::exception_ptr> errors)
    : std::runtime_error(describe(errors))
    , errors_(std::make_shared<const std::vector<std::exception_ptr>>(std::move(errors))) {}

task_errors::~task_errors() = default;

} // namespace v1
} // namespace tendril
