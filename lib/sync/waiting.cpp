// SPDX-License-Identifier: BSL-1.0
#include "sync/waiting.hpp"

#include "sync/collector.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <exception>
#include <new>
#include <system_error>

namespace tendril::detail {

void enlist(waiter*& first, waiter& node, hub_core& hub, bool in_front) noexcept {
    node.who = hub.prepare();
    push_waiter(first, node);
    if (in_front) {
        first = &node;
    }
}

outcome outcome_of(wake end, const wait_reason& why) {
    switch (end) {
    case wake::ready:
        return outcome::done;
    case wake::timeout:
        return outcome::timeout;
    case wake::closed:
        return outcome::closed;
    default:
        throw_given_up(to_string(why));
    }
}

void throw_error(int error, const char* what, const void* object) {
    throw std::system_error(error, std::system_category(),
                            to_string({wait_kind::sync, what, -1, object}));
}

std::size_t count_waiting(const waiter* first) noexcept {
    std::size_t count = 0;
    const waiter* w = first;
    for (bool more = w != nullptr; more; more = w != first) {
        const ticket who = w->who.fiber != nullptr ? w->who : who_waits(*w);
        // Odd: a thread owns the hub. In the child of a fork those of other threads have ended.
        const bool alive = who.fiber != nullptr && who.fiber->home->generation() % 2 == 1 &&
                           who.fiber->word.load(std::memory_order_acquire) == who.value;
        count += alive ? 1 : 0;
        w = w->next;
    }
    return count;
}

/// Objects of static storage duration end with the process, and fibers that wait are simply left
/// where they are, as threads would be. Such an object lies in a file that is loaded.
bool outlived_by_process(const void* object) noexcept {
    Dl_info file;
    return ::dladdr(object, &file) != 0;
}

namespace {

/// Which those are; and when a deadlock_error on its way to its handler destroys the object, it is
/// the last chance to see the list.
void print_fibers() noexcept {
    try {
        if (hub_core* const hub = hub_core::current_or_null()) {
            std::fputs(to_string(hub->census()).c_str(), stderr);
        }
    } catch (const std::bad_alloc&) {
    }
}

} // namespace

void die_awaited(std::size_t waiting, const char* what, const void* object) noexcept {
    std::fprintf(stderr, "tendril: %s %p is destroyed while %zu %s for it\n", what, object, waiting,
                 waiting == 1 ? "fiber waits" : "fibers wait");
    print_fibers();
    std::terminate();
}

void wait_queue::end_awaited(const char* what, const void* object) const noexcept {
    if (const std::size_t waiting = count_waiting(first);
        waiting != 0 && !outlived_by_process(object)) {
        die_awaited(waiting, what, object);
    }
}

} // namespace tendril::detail
