// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/totals.hpp"

#include "shims/statistics.hpp"
#include "sys/calls.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <pthread.h>

namespace tendril::detail::shim {

static_assert(wait_kinds < tendril_shim_wait_kinds);

namespace {

std::atomic<totals_entry*> entries{nullptr};
tendril_shim_numbers before_fork = {};

// Another thread's plain counter.
std::uint64_t peek(const std::uint64_t& n) noexcept {
    return __atomic_load_n(&n, __ATOMIC_RELAXED);
}

void add_counters(tendril_shim_numbers& out, const hub_core& hub) noexcept {
    const hub_counters& c = hub.counters();
    out.fibers += peek(c.spawned);
    out.switches += peek(hub.switches());
    for (std::size_t i = 0; i < wait_kinds; ++i) {
        out.waits[i] += peek(c.waits[i]);
    }
}

void sum(tendril_shim_numbers& out) noexcept {
    for (const totals_entry* e = entries.load(); e != nullptr; e = e->next) {
        out.fibers += e->fibers.load(std::memory_order_relaxed);
        out.switches += e->switches.load(std::memory_order_relaxed);
        for (std::size_t i = 0; i < wait_kinds; ++i) {
            out.waits[i] += e->waits[i].load(std::memory_order_relaxed);
        }
        if (e->in_use.load(std::memory_order_acquire)) {
            add_counters(out, *e->hub);
        }
    }
}

void in_child() {
    before_fork = {};
    sum(before_fork);
}

std::uint64_t since(std::uint64_t now, std::uint64_t before) noexcept {
    return now > before ? now - before : 0;
}

// Without a shim the library itself keeps the promise of TENDRIL_STATS. It does not see calls of
// libc, nor how many threads there are.
[[gnu::destructor]] void write_at_exit() noexcept {
    const char* const file = alone() ? std::getenv("TENDRIL_STATS") : nullptr;
    if (file != nullptr && *file != '\0') {
        tendril_shim_numbers numbers = {};
        add_up(numbers);
        tendril::shim::write_statistics(file, numbers, nullptr, 0, sys::real.write,
                                        sys::real.close);
    }
}

} // namespace

totals_entry& enter(hub_core& hub) {
    for (totals_entry* e = entries.load(); e != nullptr; e = e->next) {
        if (e->hub == &hub) {
            e->in_use = true;
            return *e;
        }
    }
    auto made = std::make_unique<totals_entry>();
    // Twice would not matter: in_child starts from all there was.
    if (entries.load() == nullptr && pthread_atfork(nullptr, nullptr, in_child) != 0) {
        throw std::bad_alloc();
    }
    totals_entry* const e = made.release();
    e->hub = &hub;
    e->in_use = true;
    e->next = entries.load();
    while (!entries.compare_exchange_weak(e->next, e)) {
    }
    return *e;
}

void retire(totals_entry& entry) noexcept {
    const hub_counters& c = entry.hub->counters();
    entry.in_use = false;
    entry.fibers += c.spawned;
    entry.switches += entry.hub->switches();
    for (std::size_t i = 0; i < wait_kinds; ++i) {
        entry.waits[i] += c.waits[i];
    }
}

void add_up(tendril_shim_numbers& out) noexcept {
    out = {};
    sum(out);
    out.fibers = since(out.fibers, before_fork.fibers);
    out.switches = since(out.switches, before_fork.switches);
    for (std::size_t i = 0; i < wait_kinds; ++i) {
        out.waits[i] = since(out.waits[i], before_fork.waits[i]);
        out.wait_name[i] = to_string(static_cast<wait_kind>(i));
    }
}

} // namespace tendril::detail::shim
