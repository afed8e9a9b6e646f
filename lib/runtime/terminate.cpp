// SPDX-License-Identifier: BSL-1.0
#include "runtime/terminate.hpp"

#include "hub/hub_core.hpp"
#include "hub/task_access.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace tendril::detail {
namespace {

std::terminate_handler earlier = nullptr;

void report() noexcept {
    const hub_core* const hub = hub_core::current_or_null();
    if (hub == nullptr || hub->running().job == nullptr) {
        return; // no fiber
    }
    const fiber_record& r = hub->running();
    std::fprintf(stderr, "tendril: terminate in fiber #%" PRIu64 " \"%s\"", r.job->id(),
                 task_access::name(*r.job));
    if (r.extra->cancelled != nullptr) {
        std::fprintf(stderr, ", which was cancelled: %s", r.extra->cancelled->reason.c_str());
    }
    std::fputc('\n', stderr);
}

[[noreturn]] void handle() {
    report();
    if (earlier != nullptr) {
        earlier();
    }
    std::abort();
}

} // namespace

void name_fiber_at_terminate() noexcept {
    earlier = std::set_terminate(&handle);
}

} // namespace tendril::detail
