// SPDX-License-Identifier: BSL-1.0
// Where a thread's hub comes from: here the hub meets the reactor and the layers above it.
#include "runtime/thread_hub.hpp"
#include "base/single_threaded.hpp"
#include "hub/hub_core.hpp"
#include "offload/worker_pool.hpp"
#include "reactor/epoll.hpp"
#include "runtime/blocked.hpp"
#include "runtime/settings.hpp"
#include "runtime/terminate.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace tendril::detail {
namespace {

/// All hubs ever made. They are handed from thread to thread and never freed, so a wake-up that
/// comes late from another thread meets a hub, if not the one that it was meant for. No static
/// destructor: other threads may run while the process exits.
struct registry {
    std::mutex mutex;
    std::vector<std::unique_ptr<hub_core>> all;
    std::vector<hub_core*> idle;
    bool begun = false;
    pthread_key_t end_key{}; ///< once begun
};

union undying {
    registry hubs;
    constexpr undying()
        : hubs() {}
    ~undying() {}
};
constinit undying process;

registry& hubs() noexcept {
    return process.hubs;
}

bool is_main_thread() noexcept {
    return ::getpid() == static_cast<pid_t>(::syscall(SYS_gettid));
}

/// No thread but this one and idle ones of ours.
bool is_alone() noexcept {
    struct stat tasks {};
    // A job that ends or begins meanwhile may have made a thread that was not counted.
    const std::uint64_t before = worker_pool::activity();
    const std::size_t idle = worker_pool::idle_threads();
    // proc(5) has a folder in it for each thread, and its link count tells how many: 2 more.
    if (::stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink <= 2) {
        return single_threaded();
    }
#ifdef TENDRIL_TSAN
    constexpr std::size_t quiet = 2; // the sanitizer has one too
#else
    constexpr std::size_t quiet = 1;
#endif
    const std::size_t watchers = watches_for_blocked_hubs() ? 1 : 0;
    return tasks.st_nlink - 2 <= quiet + idle + watchers && worker_pool::activity() == before &&
           worker_pool::idle_threads() == idle;
}

void forked_child() {
    hub_core* const own = hub_core::current_or_null();
    for (const auto& hub : hubs().all) {
        if (hub.get() != own) {
            hub->lost_in_fork();
        }
    }
    hubs().idle.clear(); // their epoll fds are the parent's
    hubs().mutex.unlock();
    if (own != nullptr) {
        own->forked();
        own->look_for_deadlocks(&is_alone); // its thread is the only one now
    }
}

// The mutex is held over every fork, and everything that is made once per process for hubs is made
// under it (not by a local static, whose guard a child could find taken by a thread that it lacks).
[[gnu::constructor]] void hold_over_forks() {
    pthread_atfork([] { hubs().mutex.lock(); }, [] { hubs().mutex.unlock(); }, &forked_child);
}

void keep_for_others(hub_core& hub) {
    const std::lock_guard lock(hubs().mutex);
    hubs().idle.push_back(&hub);
}

void give_back(hub_core& hub) {
    unwatch_hub(hub);
    const time_point begin = hub.now();
    const time_point::duration grace = settings().exit_grace;
    const std::size_t abandoned = hub.detach_thread(begin + grace, begin + grace / 2);
    if (abandoned != 0) {
        std::fprintf(stderr,
                     "tendril: a thread ended before %zu of its fibers did; they are abandoned\n",
                     abandoned);
    }
    keep_for_others(hub);
}

/// Ends the thread's hub among its thread_local objects, which the fibers that still run may use.
/// exit(3) destroys those too, but there fibers are abandoned: known by the thread, the main one,
/// or by the call coming from a fiber. (From another thread's main fiber it cannot be known.)
struct thread_end {
    bool armed = false;
    ~thread_end() {
        hub_core* const hub = hub_core::current_or_null();
        if (armed && hub != nullptr && &hub->running() == &hub->main_fiber() &&
            !hub->has_guests() && !is_main_thread()) {
            give_back(*hub);
        }
    }
};

/// Ends what thread_end could not: the hub of a main thread that ends by pthread_exit(3), one that
/// the destructor of a thread_local object made, and one with guests, whose scheduler ends among
/// the thread_local objects too, and may come later there. Not called by exit(3).
void end_late(void*) {
    if (hub_core* const hub = hub_core::current_or_null()) {
        give_back(*hub);
    }
}

/// Arms both for the calling thread. Before its hub is attached, for either may fail.
void end_with_thread(hub_core& hub) {
    // glibc ends the process when it finds no memory to remember a thread_local object's destructor
    // in. A freed block that is larger than what the allocator keeps by size will serve it.
    constexpr std::size_t ample = 4096;
    void* const block = std::malloc(ample);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    std::free(block);
    static thread_local thread_end end;
    end.armed = true;
    if (const int error = pthread_setspecific(hubs().end_key, &hub); error != 0) {
        throw std::system_error(error, std::system_category(), "pthread_setspecific");
    }
}

void begin() {
    set_guard_method(settings().guard);
    if (const int error = pthread_key_create(&hubs().end_key, &end_late); error != 0) {
        throw std::system_error(error, std::system_category(), "pthread_key_create");
    }
    name_fiber_at_terminate();
    hubs().begun = true;
}

hub_core& take_or_make() {
    const std::lock_guard lock(hubs().mutex);
    if (!hubs().idle.empty()) {
        hub_core& hub = *hubs().idle.back();
        hubs().idle.pop_back();
        return hub;
    }
    if (!hubs().begun) {
        begin();
    }
    // First, so that giving back cannot fail, nor a hub that was made be lost.
    hubs().idle.reserve(hubs().all.size() + 1);
    hubs().all.push_back(std::make_unique<hub_core>(std::make_unique<epoll_reactor>()));
    return *hubs().all.back();
}

} // namespace

void end_thread_hub() noexcept {
    if (hub_core* const hub = hub_core::current_or_null()) {
        give_back(*hub);
    }
}

hub_core& make_thread_hub() {
    hub_core& hub = take_or_make();
    try {
        end_with_thread(hub);
        hub.attach_thread();
        if (is_main_thread()) {
            hub.look_for_deadlocks(&is_alone);
        }
        hub_began(hub);
        watch_hub(hub, settings().blocked);
    } catch (...) {
        if (hub_core::current_or_null() == &hub) {
            hub.detach_thread(time_point::min());
        }
        keep_for_others(hub);
        throw;
    }
    return hub;
}

} // namespace tendril::detail
