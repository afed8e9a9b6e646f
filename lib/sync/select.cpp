// SPDX-License-Identifier: BSL-1.0
// A wait for several channels at once: one ticket, a node in each.
#include "sync/select.hpp"

#include "sync/channel_access.hpp"

#include <functional>
#include <new>
#include <optional>

namespace tendril::detail {
namespace {

static_assert(sizeof(channel_waiter) <= sizeof(select_case::node));

channel_waiter& node_of(select_case& c) noexcept {
    return *std::launder(reinterpret_cast<channel_waiter*>(c.node));
}

/// All channels of a select are locked at once, so that no peer sees half of it; in the order of
/// their addresses, so that two selects do not lock each other out.
select_case* in_order(select_case* cases, std::size_t count) noexcept {
    select_case* first = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        select_case** at = &first;
        while (*at != nullptr && std::less<>()((*at)->channel, cases[i].channel)) {
            at = &(*at)->next;
        }
        cases[i].next = *at;
        *at = &cases[i];
    }
    return first;
}

template <typename Visit>
void each_channel(select_case* first, Visit visit) {
    const channel_core* last = nullptr;
    for (select_case* c = first; c != nullptr; c = c->next) {
        if (c->channel != last) {
            visit(channel_access::queue(*c->channel));
        }
        last = c->channel;
    }
}

class lock_all {
public:
    explicit lock_all(select_case* first) noexcept
        : first_(first) {
        each_channel(first_, [](wait_queue& q) { lock_word(q.word); });
    }
    ~lock_all() {
        each_channel(first_, [](wait_queue& q) { q.word.store(0, std::memory_order_release); });
    }
    lock_all(const lock_all&) = delete;
    lock_all& operator=(const lock_all&) = delete;

private:
    select_case* first_;
};

thread_local constinit std::uint32_t selections [[gnu::tls_model("initial-exec")]] = 0;

/// Where to begin to look, so that no case starves another. A multiplicative hash of a counter:
/// plain turns could fall in step with the program's own.
std::size_t random_below(std::size_t count) noexcept {
    const std::uint32_t hash = (selections += 0x9E3779B9U) * 0x85EBCA6BU;
    return static_cast<std::size_t>(std::uint64_t{hash ^ (hash >> 15)} * count >> 32);
}

struct done_case {
    std::size_t index = 0;
    channel_step step;
};

/// Under all locks.
std::optional<done_case> do_one(select_case* cases, std::size_t count) noexcept {
    const std::size_t start = count == 0 ? 0 : random_below(count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t index = start + i < count ? start + i : start + i - count;
        const select_case& c = cases[index];
        const channel_step step = channel_access::try_step(*c.channel, c.sends, c.value);
        if (!step.must_wait) {
            return done_case{index, step};
        }
    }
    return std::nullopt;
}

void enlist(select_case* cases, std::size_t count, ticket who, std::size_t& chosen) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        auto* const node = ::new (static_cast<void*>(cases[i].node)) channel_waiter;
        node->who = who;
        node->value = cases[i].value;
        node->index = i;
        node->chosen = &chosen;
        push_waiter(channel_access::waiting(*cases[i].channel, cases[i].sends), *node);
    }
}

} // namespace

void reset_select_order() noexcept {
    selections = 0;
}

std::size_t select_one(select_case* cases, std::size_t count, time_point deadline, outcome& how) {
    hub_core* hub = deadline == at_once ? hub_core::current_or_null() : &hub_core::current();
    const bool may_wait = deadline != at_once && !is_past(*hub, deadline);
    select_case* const first = in_order(cases, count);
    std::optional<done_case> one;
    std::size_t chosen = count;
    ticket who;
    {
        const lock_all lock(first);
        one = do_one(cases, count);
        if (!one && may_wait) {
            who = hub->prepare();
            enlist(cases, count, who, chosen);
        }
    }
    if (one) {
        const select_case& c = cases[one->index];
        channel_access::finish(*c.channel, one->step, c.sends, c.value);
        charge_turn();
        how = one->step.how;
        return one->index;
    }
    if (!may_wait) {
        charge_turn();
        how = outcome::timeout;
        return count;
    }
    const wait_reason why{wait_kind::sync, "select, cases: ", static_cast<std::int64_t>(count)};
    const wake end = hub->park(who, why, deadline);
    for (std::size_t i = 0; i < count; ++i) {
        // The one that was chosen has been taken out, and its channel may be gone by now.
        if (i != chosen) {
            const channel_lock lock(channel_access::queue(*cases[i].channel));
            remove_waiter(channel_access::waiting(*cases[i].channel, cases[i].sends),
                          node_of(cases[i]));
        }
    }
    how = outcome_of(end, why);
    return chosen;
}

} // namespace tendril::detail
