// SPDX-License-Identifier: BSL-1.0
#include "io/fd_table.hpp"

#include "hub/hub_core.hpp"
#include "io/hub_io.hpp"
#include "io/operations.hpp"

#include <climits>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::detail::io {

void link(source& s, fd_waiter& w) noexcept {
    fd_waiter* first = s.waiters.load(std::memory_order_relaxed);
    if (first == nullptr) {
        w.prev = w.next = &w;
        s.waiters.store(&w, std::memory_order_relaxed);
    } else {
        w.prev = first->prev;
        w.next = first;
        w.prev->next = &w;
        first->prev = &w;
    }
    w.linked.store(true, std::memory_order_relaxed);
}

void unlink(source& s, fd_waiter& w) noexcept {
    if (w.next == &w) {
        s.waiters.store(nullptr, std::memory_order_relaxed);
    } else {
        w.prev->next = w.next;
        w.next->prev = w.prev;
        if (s.waiters.load(std::memory_order_relaxed) == &w) {
            s.waiters.store(w.next, std::memory_order_relaxed);
        }
    }
    w.linked.store(false, std::memory_order_release);
}

bool wake_waiter(source& s, fd_waiter& w, wake why) noexcept {
    const ticket who = w.who;
    unlink(s, w);
    return hub_core::wake_up(who, why);
}

namespace fd_table {

constinit std::atomic<std::atomic<fd_entry*>*> directory{nullptr};

namespace {

constexpr std::size_t chunks = (std::size_t{INT_MAX} + 1) >> chunk_bits;
constinit std::atomic<pid_t> process{0};
constinit std::atomic<std::size_t> chunks_used{0}; ///< one past the highest chunk ever made

pid_t current_process() noexcept {
    // Not getpid(), which libc or a shim may answer from memory.
    return static_cast<pid_t>(::syscall(SYS_getpid));
}

/// Null: no memory this time.
std::atomic<fd_entry*>* make_directory() noexcept {
    if (auto* known = directory.load(std::memory_order_acquire); known != nullptr) {
        return known;
    }
    // Threads may meet here: what they do twice does no harm.
    static constinit std::atomic<bool> hears_of_forks{false};
    if (!hears_of_forks.load(std::memory_order_acquire)) {
        if (::pthread_atfork([] { descriptions_shared(); }, nullptr, [] { forked(); }) != 0) {
            return nullptr;
        }
        hears_of_forks.store(true, std::memory_order_release);
    }
    // 16 MiB of addresses, of which a page or two are ever touched: zero pages, null pointers.
    auto* made =
        static_cast<std::atomic<fd_entry*>*>(std::calloc(chunks, sizeof(std::atomic<fd_entry*>)));
    if (made == nullptr) {
        return nullptr;
    }
    process.store(current_process(), std::memory_order_relaxed);
    std::atomic<fd_entry*>* expected = nullptr;
    if (!directory.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) {
        std::free(made);
        return expected;
    }
    return made;
}

/// Wakes the waiters of one source and gives it back. Withdraws the fd from the owner's reactor,
/// whose hub may be another thread's: a hub gives up its sources, under their locks, before it
/// ends.
void release(int fd, source& s) noexcept {
    hub_io* const owner = s.owner.load(std::memory_order_relaxed);
    while (fd_waiter* w = s.waiters.load(std::memory_order_relaxed)) {
        w->closed = true;
        wake_waiter(s, *w, wake::closed);
    }
    if (s.watched != 0) {
        owner->poller().unwatch(fd);
    }
    ++s.generation;
    s.watched = 0;
    s.state.store(0, std::memory_order_relaxed);
    // Whoever sees this may be the owner at its end, and go on to its destruction.
    s.owner.store(nullptr, std::memory_order_release);
}

} // namespace

fd_entry* at(int fd) noexcept {
    if (fd_entry* e = find(fd); e != nullptr || fd < 0) {
        return e;
    }
    auto* d = make_directory();
    if (d == nullptr) {
        return nullptr;
    }
    auto& slot = d[static_cast<std::uint32_t>(fd) >> chunk_bits];
    auto* made = new (std::nothrow) fd_entry[std::size_t{1} << chunk_bits];
    if (made == nullptr) {
        return nullptr;
    }
    fd_entry* expected = nullptr;
    if (!slot.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) {
        delete[] made;
    }
    const std::size_t end = (static_cast<std::uint32_t>(fd) >> chunk_bits) + 1;
    std::size_t used = chunks_used.load(std::memory_order_relaxed);
    while (used < end && !chunks_used.compare_exchange_weak(used, end, std::memory_order_acq_rel)) {
    }
    return find(fd);
}

void for_each(void (*visit)(void*, int, fd_entry&), void* context) noexcept {
    auto* d = directory.load(std::memory_order_acquire);
    if (d == nullptr) {
        return;
    }
    const std::size_t used = chunks_used.load(std::memory_order_acquire);
    for (std::size_t c = 0; c < used; ++c) {
        fd_entry* chunk = d[c].load(std::memory_order_acquire);
        for (std::size_t i = 0; chunk != nullptr && i <= chunk_mask; ++i) {
            visit(context, static_cast<int>((c << chunk_bits) + i), chunk[i]);
        }
    }
}

void forget(int fd, fd_entry& e) noexcept {
    const std::lock_guard lock(e.lock);
    e.closings.fetch_add(1, std::memory_order_release);
    for (source* s = &e.first; s != nullptr; s = s->following()) {
        if (s->owner.load(std::memory_order_relaxed) != nullptr) {
            release(fd, *s);
        }
    }
    e.kind.store(fd_kind::unknown, std::memory_order_relaxed);
    e.traits.store(0, std::memory_order_relaxed);
    e.traits_epoch.store(0, std::memory_order_relaxed);
    e.made_epoch.store(0, std::memory_order_relaxed);
}

void nudge(fd_entry& e) noexcept {
    const std::lock_guard lock(e.lock);
    for (source* s = &e.first; s != nullptr; s = s->following()) {
        while (fd_waiter* w = s->waiters.load(std::memory_order_relaxed)) {
            wake_waiter(*s, *w, wake::ready);
        }
    }
}

void forked() noexcept {
    process.store(current_process(), std::memory_order_relaxed);
    for_each(
        [](void*, int, fd_entry& e) {
            new (&e.lock) spin_lock;
            // The waiters are fibers of the parent.
            for (source* s = &e.first; s != nullptr; s = s->following()) {
                s->waiters.store(nullptr, std::memory_order_relaxed);
                s->watched = 0;
                ++s->generation;
                s->state.store(0, std::memory_order_relaxed);
                s->owner.store(nullptr, std::memory_order_relaxed);
            }
        },
        nullptr);
}

bool ours() noexcept {
    return current_process() == process.load(std::memory_order_relaxed);
}

} // namespace fd_table

} // namespace tendril::detail::io
