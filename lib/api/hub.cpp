// SPDX-License-Identifier: BSL-1.0
#include "api/hub_access.hpp"

#include <cerrno>
#include <system_error>

namespace tendril {
inline namespace v1 {
namespace {

detail::hub_core& own(const hub& h, const char* what) {
    detail::hub_core& core = hub_access::core(h);
    if (&core != detail::hub_core::current_or_null() || h.ended()) {
        throw std::system_error(EPERM, std::system_category(),
                                std::string(what) + " of another thread's hub");
    }
    return core;
}

} // namespace

hub hub::current() {
    return hub_access::handle(detail::hub_core::current());
}

void hub::drain() {
    detail::hub_core& core = own(*this, "drain");
    if (!core.drain()) {
        core.throw_if_given_up();
    }
}

bool hub::ended() const noexcept {
    return core_->generation() != generation_;
}

hub_statistics hub::statistics() const {
    using detail::wait_kind;
    const detail::hub_core& core = own(*this, "statistics");
    const detail::hub_counters& c = core.counters();
    const detail::stack_statistics stacks = core.stacks();
    const auto waits = [&c](wait_kind kind) { return c.waits[static_cast<std::size_t>(kind)]; };
    hub_statistics s;
    s.spawned = c.spawned;
    s.finished = c.finished;
    s.switches = core.switches();
    s.polls = c.polls;
    s.sleeps = c.sleeps;
    s.remote_wakes = c.remote_wakes;
    s.live = core.live();
    s.stacks_in_use = stacks.live;
    s.stacks_pooled = stacks.pooled;
    s.stacks_unguarded = stacks.unguarded;
    s.waits = {waits(wait_kind::sleep), waits(wait_kind::join),   waits(wait_kind::read),
               waits(wait_kind::write), waits(wait_kind::accept), waits(wait_kind::connect),
               waits(wait_kind::poll),  waits(wait_kind::dns),    waits(wait_kind::sync),
               waits(wait_kind::other)};
    return s;
}

} // namespace v1
} // namespace tendril
