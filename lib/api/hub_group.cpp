// SPDX-License-Identifier: BSL-1.0
#include <tendril/hub_group.hpp>

#include <tendril/cancel.hpp>
#include <tendril/event.hpp>
#include <tendril/latch.hpp>

#include "api/hub_access.hpp"
#include "runtime/thread_hub.hpp"
#include "sys/processors.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <pthread.h>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace tendril {

namespace detail {

class hub_group_core {
public:
    explicit hub_group_core(std::size_t count);
    ~hub_group_core();
    hub_group_core(const hub_group_core&) = delete;
    hub_group_core& operator=(const hub_group_core&) = delete;

    const std::vector<hub>& hubs() const noexcept { return hubs_; }
    const hub& least_loaded() noexcept;
    bool stops() const noexcept { return stops_.load(std::memory_order_acquire); }
    bool stop(time_point deadline);

    bool is_own_thread() const noexcept { return own_group == this; }
    bool was_forked() const noexcept { return ::getpid() != process_; }

private:
    struct member {
        std::promise<hub> begins;
        event go_on; ///< to its end: its fibers have ended, or there is no more time for them
        bool drained = false;
        fiber<void> drains; ///< waits for all others
        std::thread thread;
    };

    static constinit thread_local const hub_group_core* own_group;

    void run(member& self, std::size_t number) noexcept;
    void drain(member& self) noexcept;
    void begin_to_stop(time_point deadline) noexcept;
    void join_threads();

    const pid_t process_ = ::getpid();
    std::vector<std::unique_ptr<member>> members_;
    std::vector<hub> hubs_;
    std::atomic<std::uint32_t> turn_{0};
    std::atomic<bool> stops_{false};
    time_point deadline_; ///< before stop_ is set
    event stop_;
    latch ended_;
    std::mutex joining_;
};

constinit thread_local const hub_group_core* hub_group_core::own_group = nullptr;

hub_group_core::hub_group_core(std::size_t count)
    : ended_(static_cast<std::ptrdiff_t>(count)) {
    members_.reserve(count);
    hubs_.reserve(count);
    try {
        while (members_.size() < count) {
            auto m = std::make_unique<member>();
            m->thread = std::thread(&hub_group_core::run, this, std::ref(*m), members_.size());
            members_.push_back(std::move(m));
        }
        for (const auto& m : members_) {
            hubs_.push_back(m->begins.get_future().get());
        }
    } catch (...) {
        begin_to_stop(time_point::min());
        join_threads();
        throw;
    }
}

hub_group_core::~hub_group_core() {
    std::optional<shield> to_the_end;
    if (hub_core::current_or_null() != nullptr) { // else there is no fiber to be cancelled
        to_the_end.emplace();
    }
    stop(time_point::min());
}

// ------------------------------------------------------------------------------ on the hubs'
// threads

void hub_group_core::run(member& self, std::size_t number) noexcept {
    own_group = this;
    try {
        pthread_setname_np(pthread_self(), ("tendril-" + std::to_string(number)).c_str());
        self.begins.set_value(hub::current());
    } catch (...) {
        self.begins.set_exception(std::current_exception());
        return;
    }
    stop_.wait();
    drain(self);
    end_thread_hub();
    try {
        self.drains.get();
    } catch (...) { // it did not come to its end; or there is none
    }
    ended_.count_down();
}

/// Gives the fibers their time; then those that are left are cancelled.
void hub_group_core::drain(member& self) noexcept {
    hub_core& mine = hub_core::current();
    mine.sleep_until(mine.now()); // those on their way here arrive
    if (mine.live() == 0) {
        self.drained = true;
        return;
    }
    try {
        self.drains = spawn([&self] {
            hub::current().drain();
            self.drained = true;
            self.go_on.set();
        });
        self.go_on.wait_until(deadline_);
    } catch (const std::bad_alloc&) { // then there is no time for them
    }
    if (!self.drained) {
        mine.cancel_all("its group stops");
    }
}

// ----------------------------------------------------------------------------------------- on
// others

/// Reads each hub's count, a cache line of another CPU's, so not of many. To take the better of two
/// is nearly as good as to take the best of all.
const hub& hub_group_core::least_loaded() noexcept {
    constexpr std::size_t few = 8;
    const std::size_t count = hubs_.size();
    const std::uint32_t turn = turn_.fetch_add(1, std::memory_order_relaxed);
    const auto load = [this](std::size_t i) { return hub_access::core(hubs_[i]).load(); };
    if (count > few) {
        const std::uint32_t chance = turn * 2654435761U;
        const std::size_t a = turn % count;
        const std::size_t b = (a + 1 + (chance >> 16) % (count - 1)) % count;
        return hubs_[load(a) <= load(b) ? a : b];
    }
    std::size_t best = turn % count; // of several the next in turn
    std::size_t least = load(best);
    for (std::size_t step = 1; step < count && least != 0; ++step) {
        const std::size_t i = (turn + step) % count;
        const std::size_t here = load(i);
        if (here < least) {
            best = i;
            least = here;
        }
    }
    return hubs_[best];
}

void hub_group_core::begin_to_stop(time_point deadline) noexcept {
    if (!stops_.exchange(true, std::memory_order_acq_rel)) {
        deadline_ = deadline;
        stop_.set();
    }
}

void hub_group_core::join_threads() {
    const std::lock_guard lock(joining_);
    for (const auto& m : members_) {
        if (m->thread.joinable()) {
            m->thread.join();
        }
    }
}

bool hub_group_core::stop(time_point deadline) {
    begin_to_stop(deadline);
    std::exception_ptr given_up;
    if (hub_core::current_or_null() != nullptr) {
        try {
            ended_.wait();
        } catch (...) {
            given_up = std::current_exception();
            for (const auto& m : members_) {
                m->go_on.set();
            }
            const shield to_the_end;
            ended_.wait();
        }
    } // else a thread without a hub, which may block
    join_threads();
    if (given_up != nullptr) {
        std::rethrow_exception(given_up);
    }
    return std::all_of(members_.begin(), members_.end(), [](const auto& m) { return m->drained; });
}

void hub_group_end::operator()(hub_group_core* group) const noexcept {
    if (group->was_forked()) {
        return; // its threads are not here to be waited for, nor is what they may hold
    }
    if (group->is_own_thread()) {
        std::fputs("tendril: a hub group is destroyed on a thread of its own\n", stderr);
        std::terminate();
    }
    delete group;
}

} // namespace detail

inline namespace v1 {

hub_group::hub_group(std::size_t hubs)
    : core_(new detail::hub_group_core(hubs != 0 ? hubs : sys::processors())) {}

std::size_t hub_group::size() const noexcept {
    return core_->hubs().size();
}

const hub& hub_group::operator[](std::size_t number) const {
    return core_->hubs().at(number);
}

const hub& hub_group::least_loaded() const noexcept {
    return core_->least_loaded();
}

const hub& hub_group::chosen() const {
    if (core_->stops()) {
        throw std::system_error(ESRCH, std::system_category(), "spawn on a hub group that stops");
    }
    return core_->least_loaded();
}

const hub& hub_group::chosen(std::size_t number) const {
    if (core_->stops()) {
        throw std::system_error(ESRCH, std::system_category(), "spawn on a hub group that stops");
    }
    return (*this)[number];
}

bool hub_group::stop_until(std::chrono::steady_clock::time_point deadline) {
    if (core_->is_own_thread()) {
        throw std::system_error(EDEADLK, std::system_category(),
                                "stop a hub group on a thread of its own");
    }
    return core_->was_forked() || core_->stop(deadline);
}

} // namespace v1
} // namespace tendril
