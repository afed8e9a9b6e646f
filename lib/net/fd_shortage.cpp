// SPDX-License-Identifier: BSL-1.0
#include "net/fd_shortage.hpp"

#include "base/spin_lock.hpp"
#include "hub/hub_core.hpp"

#include <atomic>
#include <cerrno>
#include <mutex>
#include <unistd.h>

namespace tendril::detail::net {

namespace {

struct starving {
    waiter link; // first: the list holds these
    int listener;
    bool closed = false;
};

spin_lock lock;
waiter* first = nullptr;          // guarded by lock
pid_t owner = 0;                  // likewise: a fork leaves waiters behind that are nobody's
std::atomic<unsigned> waiting{0}; // so that a close costs one load when there is no shortage

void enlist(starving& s) noexcept {
    const std::lock_guard guard(lock);
    if (owner != ::getpid()) {
        owner = ::getpid();
        first = nullptr;
        waiting.store(0, std::memory_order_relaxed);
    }
    push_waiter(first, s.link);
    waiting.fetch_add(1, std::memory_order_relaxed);
}

bool leave(starving& s) noexcept {
    const std::lock_guard guard(lock);
    if (s.link.linked) {
        remove_waiter(first, s.link);
        waiting.fetch_sub(1, std::memory_order_relaxed);
    }
    return s.closed;
}

} // namespace

bool is_shortage(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int wait_for_fd(int listener, time_point until) noexcept {
    hub_core& hub = *hub_core::current_or_null(); // accept has just used it
    starving self;
    self.listener = listener;
    self.link.who = hub.prepare();
    enlist(self);
    const wake end =
        hub.park(self.link.who, {wait_kind::accept, "accept: no fd left,", listener}, until);
    if (leave(self)) {
        return -EBADF;
    }
    return end == wake::cancelled ? -ECANCELED : 0;
}

void closing(int fd) noexcept {
    if (waiting.load(std::memory_order_relaxed) == 0) {
        return;
    }
    const std::lock_guard guard(lock);
    waiter* w = owner == ::getpid() ? first : nullptr;
    for (bool more = w != nullptr; more; w = w->next, more = w != first) {
        auto* const s = reinterpret_cast<starving*>(w);
        if (s->listener == fd) {
            s->closed = true;
            hub_core::wake_up(w->who, wake::closed);
        }
    }
}

void closed() noexcept {
    if (waiting.load(std::memory_order_relaxed) == 0) {
        return;
    }
    const std::lock_guard guard(lock);
    if (owner != ::getpid()) {
        return;
    }
    bool told = false; // whoever has just given up waits no more
    while (!told && first != nullptr) {
        const waiter* const w = pop_waiter(first);
        waiting.fetch_sub(1, std::memory_order_relaxed);
        told = hub_core::wake_up(w->who, wake::ready);
    }
}

} // namespace tendril::detail::net
