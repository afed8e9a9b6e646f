// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "io/fd_table.hpp"
#include "io/patient_calls.hpp"
#include "io/uring_accept.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tendril::detail::io {

/// A hub's waits for fds: the listener of its reactor, and what parks fibers until an edge.
class hub_io final : public hub_extension, private reactor::listener {
public:
    explicit hub_io(hub_core& hub) noexcept
        : hub_(hub) {}
    ~hub_io() override;

    /// The hub's; made on first use. Throws std::bad_alloc.
    static hub_io& of(hub_core& hub) {
        auto& slot = hub.extension(extension_slot::io);
        return slot != nullptr ? static_cast<hub_io&>(*slot) : make(hub);
    }

    hub_core& hub() noexcept { return hub_; }
    reactor& poller() noexcept { return hub_.poller(); }

    // What a wait ends with, beside 0 (an edge was reported; try again) and -ETIMEDOUT, -EBADF (the
    // fd was closed), -ECANCELED.
    static constexpr int always_ready =
        1; ///< the reactor does not take this fd: the call never waits

    /// Parks the calling fiber until an edge of `want` on fd. The caller has just seen EAGAIN, and
    /// no switch came between. `closings` are the entry's when the call began: it waits for no
    /// other description. Returns 0 without parking where another thread may have made a call for
    /// it (patient_calls) before it was enlisted.
    int wait(int fd, std::uint32_t want, time_point deadline, const wait_reason& why,
             std::uint32_t closings, const patient_calls* calls = nullptr) noexcept;

    /// The same in steps, for waiting on several fds with one ticket: enlist each (0, always_ready
    /// or -errno), park, then leave each.
    int enlist(int fd, fd_waiter& w) noexcept;
    void leave(int fd, fd_waiter& w) noexcept;
    /// fd is probably new: what is registered under its number may be left from another
    /// description.
    void distrust(int fd) noexcept;

    /// What was waited for has come (or is given up): the registration was good, and the next wait
    /// is a new one.
    void rejuvenate(int fd) noexcept;
    static int outcome(wake end, bool at_deadline) noexcept;

    /// This hub's source of fd, or null if it never waited for it.
    source* own(fd_entry& e) noexcept {
        source* s = &e.first;
        while (s != nullptr && s->owner.load(std::memory_order_acquire) != this) {
            s = s->following();
        }
        return s;
    }

    /// A fiber was woken, or might have been, and did not use all the readiness up: the next one's
    /// turn.
    void pass_on(int fd, std::uint32_t bit) noexcept;

    /// accept4 on a blocking listener, without blocking; -EOPNOTSUPP where there is no way.
    int accept(int fd, sockaddr* peer, socklen_t* peer_size, int flags) noexcept;

    // hub_extension
    void forked() override;
    void ending() noexcept override;

    std::size_t stale_events() const noexcept { return stale_total_; }
    std::size_t rebuilds() const noexcept { return rebuilds_; }

    /// An fd that the reactor refuses for another reason than being ready always (too many watches,
    /// too many epoll fds inside each other) is looked at this often.
    static constexpr auto retry_interval = std::chrono::milliseconds(10);

private:
    static constexpr std::uint64_t period_token = 0xffff'ffff'ffff'fffe;

    static hub_io& make(hub_core& hub);

    void on_ready(std::uint64_t token, std::uint32_t events) noexcept override;
    void prefetch(std::uint64_t token, bool again) noexcept override;
    void on_lost() noexcept override;
    void wake_interested(source& s, std::uint32_t events) noexcept;
    int watch(int fd, source& s, std::uint32_t need) noexcept;
    int watch_anew(int fd, source& s) noexcept;
    source* claim(fd_entry& e) noexcept;
    void give_up_sources() noexcept;

    // --- fds closed behind our back --------------------------------------------------------------
    void stale() noexcept;
    void rebuild() noexcept;
    void watch_all_anew() noexcept;
    void age(int fd) noexcept;
    void arm() noexcept;
    void close_period() noexcept;
    void tick() noexcept;
    void verify(int fd) noexcept;
    static void give_up_watch(source& s, int error) noexcept;

    hub_core& hub_;

    // Waits that began in this period and in the one before, one bit per fd. Whatever is still set
    // after a whole period is verified.
    std::vector<std::uint64_t> young_;
    std::vector<std::uint64_t> old_;
    std::size_t verified_word_ = 0; ///< of old_: where the last verification came to
    bool armed_ = false;
    std::unique_ptr<uring_accept> acceptor_;
    bool acceptor_tried_ = false;
    int period_fd_ = -1;    ///< a timerfd, because a fiber that kept the time would count as one
    std::size_t stale_ = 0; ///< since the last rebuild
    std::size_t stale_limit_ = 256;
    std::size_t stale_total_ = 0;
    std::size_t rebuilds_ = 0;
};

} // namespace tendril::detail::io
