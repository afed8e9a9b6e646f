// SPDX-License-Identifier: BSL-1.0
#include "io/patient_calls.hpp"

#include "io/fd_table.hpp"
#include "io/socket_options.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <new>
#include <pthread.h>
#include <utility>
#include <vector>

namespace tendril::detail::io {

/// Everything under the registry's lock.
struct patient_lane {
    std::uint64_t socket = 0;                       ///< the listener's cookie; 0: not a listener
    std::vector<int> fds;                           ///< by which fibers came here; none: closed
    std::shared_ptr<patient_call> busy;             ///< until it is taken or given up
    std::deque<std::shared_ptr<patient_call>> kept; ///< whose fibers gave up
    std::uint64_t turn = 0;                         ///< how often it became free
};

struct patient_registry {
    std::mutex mutex;
    std::vector<std::shared_ptr<patient_lane>> lanes;
    std::atomic<std::size_t> count{0}; ///< of lanes

    /// There without an allocation, which closing() could not do without, and never destroyed: a
    /// worker may outlive main.
    static patient_registry& instance() noexcept {
        union storage {
            constexpr storage()
                : registry() {}
            ~storage() {}
            patient_registry registry;
        };
        static constinit storage s;
        return s.registry;
    }

    std::shared_ptr<patient_lane> lane_of(int fd, std::uint64_t socket) {
        hear_of_forks();
        for (const auto& lane : lanes) {
            const bool known = std::find(lane->fds.begin(), lane->fds.end(), fd) != lane->fds.end();
            if (lane->socket == socket && (known || socket != 0)) {
                if (!known) {
                    lane->fds.push_back(fd);
                }
                return lane;
            }
        }
        auto lane = std::make_shared<patient_lane>();
        lane->socket = socket;
        lane->fds.push_back(fd);
        lanes.push_back(lane);
        count.store(lanes.size(), std::memory_order_relaxed);
        return lane;
    }

    /// What a call whose fiber gave up leaves behind.
    static void leave(patient_lane& lane) noexcept {
        const auto call = std::exchange(lane.busy, nullptr);
        ++lane.turn;
        if (call->worth_keeping() && !lane.fds.empty()) {
            try {
                lane.kept.push_back(call);
                return;
            } catch (const std::bad_alloc&) {
            }
        }
        call->discard();
    }

    void forked() noexcept;

private:
    constexpr patient_registry() = default;

    void hear_of_forks() {
        if (hears_of_forks_) {
            return;
        }
        if (pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                           [] { instance().forked(); }) != 0) {
            throw std::bad_alloc();
        }
        hears_of_forks_ = true;
    }

    bool hears_of_forks_ = false;
};

namespace {

/// Whoever waits for one of the lane's fds, in any hub, shall look again. Under the registry's
/// lock, which comes before those of the entries.
void nudge(const patient_lane& lane) noexcept {
    for (const int fd : lane.fds) {
        if (fd_entry* const e = fd_table::find(fd)) {
            fd_table::nudge(*e);
        }
    }
}

/// Another open fd of the socket, outside of the range. Looks at many; seldom needed.
int other_fd(std::uint64_t socket, unsigned first, unsigned last) noexcept {
    struct search {
        std::uint64_t socket;
        unsigned first, last;
        int found = -1;
    } s{socket, first, last};
    fd_table::for_each(
        [](void* context, int fd, fd_entry&) {
            auto& wanted = *static_cast<search*>(context);
            const auto number = static_cast<unsigned>(fd);
            const bool outside = number < wanted.first || number > wanted.last;
            if (wanted.found < 0 && outside && !sys::is_own(fd) && cookie_of(fd) == wanted.socket) {
                wanted.found = fd;
            }
        },
        &s);
    return s.found;
}

} // namespace

/// In the child: the workers are not there, and what they have is the parent's.
void patient_registry::forked() noexcept {
    for (const auto& lane : lanes) {
        if (lane->busy != nullptr && lane->busy->own_fd_ >= 0) {
            sys::close_own(std::exchange(lane->busy->own_fd_, -1));
        }
        if (lane->busy != nullptr) {
            lane->busy->discard();
        }
        for (const auto& call : lane->kept) {
            call->discard();
        }
        lane->busy.reset();
        lane->kept.clear();
        lane->fds.clear();
    }
    lanes.clear();
    count.store(0, std::memory_order_relaxed);
    mutex.unlock();
}

void patient_call::run() noexcept {
    auto& registry = patient_registry::instance();
    bool wanted = false;
    {
        const std::lock_guard lock(registry.mutex);
        wanted = claimed_;
    }
    if (wanted) {
        result_ = perform(own_fd_);
    }
    const std::lock_guard lock(registry.mutex);
    sys::close_own(std::exchange(own_fd_, -1));
    done_ = true;
    const auto lane = std::move(lane_);
    if (!claimed_) {
        patient_registry::leave(*lane);
    }
    nudge(*lane);
}

int patient_calls::start(std::shared_ptr<patient_call> call) noexcept {
    auto& registry = patient_registry::instance();
    try {
        const std::uint64_t socket = accepts_ ? cookie_of(fd_) : 0;
        const std::lock_guard lock(registry.mutex);
        if (lane_ == nullptr || lane_->fds.empty()) {
            lane_ = registry.lane_of(fd_, socket);
        }
        seen_ = lane_->turn;
        if (lane_->busy != nullptr || !lane_->kept.empty()) {
            return 0;
        }
        call->own_fd_ = sys::adopt(sys::real.fcntl(fd_, F_DUPFD_CLOEXEC, 0));
        if (call->own_fd_ < 0) {
            return -errno;
        }
        call->lane_ = lane_;
        lane_->busy = call;
        call_ = std::move(call);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    bool posted = false;
    try {
        posted = offload_patiently(call_);
    } catch (const std::bad_alloc&) {
    }
    if (!posted) {
        call_->run();
    }
    return 0;
}

std::shared_ptr<patient_call> patient_calls::take() noexcept {
    auto& registry = patient_registry::instance();
    if (lane_ == nullptr && registry.count.load(std::memory_order_relaxed) == 0) {
        return nullptr;
    }
    const std::lock_guard lock(registry.mutex);
    if (lane_ == nullptr) {
        // Somebody else's lane may keep a connection for us.
        const std::uint64_t socket = accepts_ ? cookie_of(fd_) : 0;
        for (const auto& lane : registry.lanes) {
            if (socket != 0 && lane->socket == socket) {
                lane_ = lane;
            }
        }
        if (lane_ == nullptr) {
            return nullptr;
        }
    }
    seen_ = lane_->turn;
    if (call_ != nullptr) {
        if (!call_->done_) {
            return nullptr;
        }
        if (lane_->busy == call_) {
            lane_->busy.reset();
            ++lane_->turn;
        }
        return std::exchange(call_, nullptr);
    }
    if (lane_->kept.empty()) {
        return nullptr;
    }
    auto call = std::move(lane_->kept.front());
    lane_->kept.pop_front();
    return call;
}

bool patient_calls::may_go_on() const noexcept {
    if (lane_ == nullptr) {
        return false;
    }
    const std::lock_guard lock(patient_registry::instance().mutex);
    return call_ != nullptr ? call_->done_ : lane_->turn != seen_;
}

patient_calls::~patient_calls() {
    if (call_ == nullptr) {
        return;
    }
    const std::lock_guard lock(patient_registry::instance().mutex);
    call_->claimed_ = false;
    if (call_->done_ && lane_->busy == call_) {
        patient_registry::leave(*lane_);
        nudge(*lane_);
    }
}

void patient_calls::closing(unsigned first, unsigned last) noexcept {
    auto& registry = patient_registry::instance();
    if (registry.count.load(std::memory_order_relaxed) == 0) {
        return;
    }
    const std::lock_guard lock(registry.mutex);
    for (std::size_t i = 0; i < registry.lanes.size();) {
        patient_lane& lane = *registry.lanes[i];
        std::erase_if(lane.fds, [&](int fd) {
            return static_cast<unsigned>(fd) >= first && static_cast<unsigned>(fd) <= last;
        });
        const bool holds = lane.busy != nullptr || !lane.kept.empty();
        if (lane.fds.empty() && holds && lane.socket != 0) {
            if (const int heir = other_fd(lane.socket, first, last); heir >= 0) {
                lane.fds.push_back(heir); // room is there: one was erased
                nudge(lane);
            }
        }
        if (!lane.fds.empty()) {
            ++i;
            continue;
        }
        for (const auto& call : lane.kept) {
            call->discard();
        }
        lane.kept.clear();
        registry.lanes.erase(registry.lanes.begin() + static_cast<std::ptrdiff_t>(i));
        registry.count.store(registry.lanes.size(), std::memory_order_relaxed);
    }
}

} // namespace tendril::detail::io
