// SPDX-License-Identifier: BSL-1.0
// A wait for any, some or all of many things. A watcher stands in the list of each; when the thing
// is done, its watcher goes over to the collector, and the one that makes them enough wins the
// ticket. So nobody looks through all of them but who begins and who gives up.
//
// Locks: that of a thing first, then the collector's.
#include "sync/collector.hpp"

#include "hub/task_access.hpp"
#include "sync/waiting.hpp"

#include <tendril/detail/collector.hpp>

#include <cerrno>
#include <new>
#include <string>
#include <system_error>

namespace tendril::detail {
namespace {

struct thing_watcher : watcher {
    awaited* one = nullptr;
};
static_assert(sizeof(thing_watcher) <= sizeof(awaited::node));

thing_watcher& watcher_of(awaited& a) noexcept {
    return *std::launder(reinterpret_cast<thing_watcher*>(a.node));
}

} // namespace

struct event_access {
    static bool watch(event_core& e, watcher& w) noexcept {
        const word_lock lock(e.queue_);
        if (lock.value() != 0) {
            return false;
        }
        push_waiter(e.queue_.first, w);
        return true;
    }

    static void unwatch(event_core& e, watcher& w) noexcept {
        const word_lock lock(e.queue_);
        remove_waiter(e.queue_.first, w);
    }

    /// Until set(), which told us under its lock, has let go of the event: it may end now.
    static void outwait_setter(event_core& e) noexcept { const word_lock lock(e.queue_); }
};

struct collector_access {
    static void begin(collector& c, awaited& a) noexcept {
        a.of = &c;
        const bare_lock lock(c.lock_);
        a.watched = true;
        a.prev = nullptr;
        a.next = c.watched_;
        if (a.next != nullptr) {
            a.next->prev = &a;
        }
        c.watched_ = &a;
    }

    /// Under the lock.
    static void unlink(collector& c, awaited& a) noexcept {
        a.watched = false;
        (a.prev != nullptr ? a.prev->next : c.watched_) = a.next;
        if (a.next != nullptr) {
            a.next->prev = a.prev;
        }
        a.next = nullptr;
    }

    /// Nothing of the collector is touched after the unlocking: whoever sees that this one is done
    /// may destroy it.
    static fiber_record* done(awaited& a) noexcept {
        collector& c = *a.of;
        const bare_lock lock(c.lock_);
        if (!a.watched) { // given up meanwhile
            return nullptr;
        }
        unlink(c, a);
        (c.done_ == nullptr ? c.done_ : c.last_done_->next) = &a;
        c.last_done_ = &a;
        ++c.done_count_;
        if (c.waiter_ == nullptr || c.done_count_ < c.needed_) {
            return nullptr;
        }
        fiber_record* const r = std::exchange(c.waiter_, nullptr);
        return hub_core::win({r, c.ticket_}, wake::ready) ? r : nullptr;
    }

    static fiber_record* told(watcher& w) noexcept {
        return done(*static_cast<thing_watcher&>(w).one);
    }

    static awaited* pop_watched(collector& c) noexcept {
        const bare_lock lock(c.lock_);
        awaited* const a = c.watched_;
        if (a != nullptr) {
            unlink(c, *a);
        }
        return a;
    }

    static ticket who_waits(collector& c) noexcept {
        const bare_lock lock(c.lock_);
        return {c.waiter_, c.ticket_};
    }
};

/// Only things whose destructor asks come here, and no groups watch those.
ticket who_waits(const waiter& w) noexcept {
    return collector_access::who_waits(*static_cast<const thing_watcher&>(w).one->of);
}

void collector::watch(awaited& one) {
    auto* const w = ::new (static_cast<void*>(one.node)) thing_watcher;
    w->told = &collector_access::told;
    w->one = &one;
    collector_access::begin(*this, one);
    bool waits = false;
    try {
        waits = one.job != nullptr ? task_access::watch(*one.job, *w)
                                   : event_access::watch(*one.happens, *w);
    } catch (...) {
        const bare_lock lock(lock_);
        collector_access::unlink(*this, one);
        throw;
    }
    if (!waits) {
        collector_access::done(one); // the waiting fiber is this one
    }
}

bool collector::wait(std::size_t count, steady_time deadline) {
    hub_core* const hub = deadline == at_once ? nullptr : &hub_core::current();
    const bool may_wait = hub != nullptr && !is_past(*hub, deadline);
    ticket who;
    {
        const bare_lock lock(lock_);
        if (done_count_ >= count) {
            return true;
        }
        if (may_wait) {
            who = hub->prepare();
            waiter_ = who.fiber;
            ticket_ = who.value;
            needed_ = count;
        }
    }
    if (!may_wait) {
        charge_turn();
        return false;
    }
    const wait_reason why{wait_kind::sync, "any of several, as many as ",
                          static_cast<std::int64_t>(count)};
    const wake end = hub->park(who, why, deadline);
    if (end == wake::ready) {
        return true;
    }
    bool enough = false;
    {
        const bare_lock lock(lock_);
        waiter_ = nullptr;
        enough = done_count_ >= count;
    }
    outcome_of(end, why);
    return enough;
}

awaited* collector::take() noexcept {
    awaited* a = nullptr;
    {
        const bare_lock lock(lock_);
        a = done_;
        if (a == nullptr) {
            return nullptr;
        }
        done_ = a->next;
        --done_count_;
    }
    if (a->happens != nullptr) {
        event_access::outwait_setter(*a->happens);
    }
    return a;
}

collector::~collector() {
    while (awaited* const a = collector_access::pop_watched(*this)) {
        if (a->job != nullptr) {
            task_access::unwatch(*a->job, watcher_of(*a));
        } else {
            event_access::unwatch(*a->happens, watcher_of(*a));
        }
    }
    while (take() != nullptr) {
    }
}

std::size_t wait_for_some(awaited* first, std::size_t of, std::size_t count, std::size_t* which,
                          steady_time deadline) {
    if (count > of) {
        throw std::system_error(EINVAL, std::system_category(),
                                "wait for " + std::to_string(count) + " of " + std::to_string(of));
    }
    collector all;
    for (std::size_t i = 0; i < of; ++i) {
        all.watch(first[i]);
    }
    all.wait(count, deadline);
    std::size_t got = 0;
    while (got < count) {
        const awaited* const a = all.take();
        if (a == nullptr) {
            break;
        }
        which[got++] = static_cast<std::size_t>(a - first);
    }
    return got;
}

bool wait_for_all(awaited* first, std::size_t of, steady_time deadline) {
    collector all;
    for (std::size_t i = 0; i < of; ++i) {
        all.watch(first[i]);
    }
    return all.wait(of, deadline);
}

} // namespace tendril::detail
