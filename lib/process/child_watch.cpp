// SPDX-License-Identifier: BSL-1.0
#include "process/child_watch.hpp"

#include "offload/offload.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <pthread.h>
#include <utility>
#include <vector>

namespace tendril::detail::process {

namespace {

/// A fiber's part in a watch, on its stack.
struct watcher {
    ticket who;
    watcher* next = nullptr;
};

class watch final : public offload_job {
public:
    explicit watch(const selection& asked) noexcept
        : of(asked) {}
    void run() noexcept override;

    const selection of;
    watcher* watchers = nullptr; ///< under the registry's mutex
};

/// The watches whose question the kernel has not answered. Never destroyed: workers outlive main.
struct registry {
    std::mutex mutex;
    std::vector<std::shared_ptr<watch>> watches;

    static registry& instance() {
        static registry* const all = make();
        return *all;
    }

    std::shared_ptr<watch> find(const selection& asked) {
        // An fd may be another by now.
        const auto same = [&](const auto& each) {
            return asked.type != P_PIDFD && each->of == asked;
        };
        const auto found = std::find_if(watches.begin(), watches.end(), same);
        return found != watches.end() ? *found : nullptr;
    }

    void forget(const watch& w) noexcept {
        std::erase_if(watches, [&](const auto& each) { return each.get() == &w; });
    }

private:
    static registry* make() {
        auto all = std::make_unique<registry>();
        // In a child there are no workers, nor these children.
        if (pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                           [] {
                               instance().watches.clear();
                               instance().mutex.unlock();
                           }) != 0) {
            throw std::bad_alloc();
        }
        return all.release();
    }
};

void watch::run() noexcept {
    siginfo_t ignored;
    while (sys::real.waitid(of.type, of.id, &ignored, of.options | WNOWAIT) != 0 &&
           errno == EINTR) {
    }
    registry& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    all.forget(*this);
    while (watchers != nullptr) {
        // Once its ticket is won, the watcher is its fiber's again.
        const ticket who = std::exchange(watchers, watchers->next)->who;
        hub_core::wake_up(who, wake::ready);
    }
}

/// The watch that answers `of`, with `w` in its list; starts it if need be. 0 or -errno.
int join(std::shared_ptr<watch>& joined, const selection& of, watcher& w) noexcept {
    try {
        registry& all = registry::instance();
        const std::lock_guard lock(all.mutex);
        joined = all.find(of);
        if (joined == nullptr) {
            joined = std::make_shared<watch>(of);
            all.watches.push_back(joined);
            if (!offload_patiently(joined)) {
                all.watches.pop_back();
                return -EAGAIN;
            }
        }
        w.next = joined->watchers;
        joined->watchers = &w;
        return 0;
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
}

void leave(watch& joined, watcher& w) noexcept {
    const std::lock_guard lock(registry::instance().mutex);
    for (watcher** at = &joined.watchers; *at != nullptr; at = &(*at)->next) {
        if (*at == &w) {
            *at = w.next;
            return;
        }
    }
}

} // namespace

int wait_for_change(hub_core& hub, const selection& of, const wait_reason& why,
                    time_point deadline) noexcept {
    if (!shares_fds_with_workers()) { // it may be asked for by an fd
        siginfo_t ignored;
        sys::real.waitid(of.type, of.id, &ignored, of.options | WNOWAIT);
        return 0;
    }
    watcher w;
    w.who = hub.prepare();
    std::shared_ptr<watch> joined;
    if (const int error = join(joined, of, w); error != 0) {
        if (hub_core::withdraw(w.who)) {
            return error;
        }
        hub.park(w.who, why);
        return error;
    }
    const wake end = hub.park(w.who, why, deadline);
    leave(*joined, w);
    switch (end) {
    case wake::ready:
        return 0;
    case wake::timeout:
        return -ETIMEDOUT;
    case wake::interrupted:
        return -EINTR;
    default:
        return -ECANCELED;
    }
}

} // namespace tendril::detail::process
