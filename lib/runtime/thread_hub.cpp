// SPDX-License-Identifier: BSL-1.0
// Where a thread's hub comes from: here the hub meets the reactor and the layers above it.
#include "hub/hub_core.hpp"
#include "reactor/epoll.hpp"
#include "runtime/settings.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <sys/syscall.h>
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
};

registry& hubs() {
    static registry* const r = [] {
        pthread_atfork(nullptr, nullptr, [] {
            // The threads that owned the other hubs are not here, nor is whoever held the mutex.
            // What the parent's hubs held is left alone.
            new (&hubs()) registry;
            if (hub_core* own = hub_core::current_or_null()) {
                own->forked();
            }
        });
        return new registry;
    }();
    return *r;
}

void give_back(hub_core& hub) {
    const time_point give_up = hub.now() + settings().exit_grace;
    const std::size_t abandoned = hub.detach_thread(give_up);
    if (abandoned != 0) {
        std::fprintf(stderr,
                     "tendril: a thread ended before %zu of its fibers did; they are abandoned\n",
                     abandoned);
    }
    const std::lock_guard lock(hubs().mutex);
    hubs().idle.push_back(&hub);
}

/// Ends the thread's hub with the thread. Not with the process: there, fibers are abandoned.
struct thread_end {
    hub_core* hub = nullptr;
    ~thread_end() {
        if (hub != nullptr && ::getpid() != static_cast<pid_t>(::syscall(SYS_gettid))) {
            hub_ends(*hub);
            give_back(*hub);
        }
    }
};

hub_core& take_or_make() {
    {
        const std::lock_guard lock(hubs().mutex);
        if (!hubs().idle.empty()) {
            hub_core& hub = *hubs().idle.back();
            hubs().idle.pop_back();
            return hub;
        }
    }
    set_guard_method(settings().guard);
    auto made = std::make_unique<hub_core>(std::make_unique<epoll_reactor>());
    hub_core& hub = *made;
    const std::lock_guard lock(hubs().mutex);
    hubs().all.push_back(std::move(made));
    hubs().idle.reserve(hubs().all.size()); // so that giving back cannot fail
    return hub;
}

} // namespace

hub_core& make_thread_hub() {
    static thread_local thread_end end;
    hub_core& hub = take_or_make();
    hub.attach_thread();
    hub_began(hub);
    end.hub = &hub;
    return hub;
}

} // namespace tendril::detail
