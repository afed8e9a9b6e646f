// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "reactor/reactor.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace tendril::detail {

/// A reactor without a kernel: its clock moves only by the script or by
/// sleeping, and an fd is ready when the script says so. A hub that sleeps
/// without a deadline and without scripted events waits, for real, until
/// interrupt().
class fake_reactor final : public reactor {
public:
    struct watched {
        std::uint64_t token;
        std::uint32_t interest;
    };

    // --- the script; on the hub's thread ---------------------------------------------------------
    void advance(time_point::duration by) { now_ += by; }

    /// Reports an edge at `when`, if fd is watched by then.
    void ready_at(time_point when, int fd, std::uint32_t events) {
        script_.emplace(when, std::pair{fd, events});
    }
    void ready(int fd, std::uint32_t events) { ready_at(now_, fd, events); }

    /// Reports a token whether or not anything has it.
    void report(std::uint64_t token, std::uint32_t events) { loose_.emplace_back(token, events); }

    void refuse(int fd, int error) { refused_[fd] = error; } ///< what watch() answers for fd
    void say_more(bool more) { more_ = more; }               ///< what poll() returns
    void forget(int fd) { watches_.erase(fd); }              ///< as if closed behind our back

    const std::map<int, watched>& watches() const { return watches_; }
    std::size_t polls() const { return polls_; }
    std::size_t sleeps() const { return sleeps_; } ///< polls that were allowed to wait
    std::size_t forks() const { return forks_; }

    // --- reactor ---------------------------------------------------------------------------------
    time_point now() noexcept override { return now_; }

    int watch(int fd, std::uint64_t token, std::uint32_t interest) noexcept override {
        if (const auto it = refused_.find(fd); it != refused_.end()) {
            return it->second;
        }
        return watches_.emplace(fd, watched{token, interest}).second ? 0 : EEXIST;
    }

    int rewatch(int fd, std::uint64_t token, std::uint32_t interest) noexcept override {
        const auto it = watches_.find(fd);
        if (it == watches_.end()) {
            return ENOENT;
        }
        it->second = {token, interest};
        return 0;
    }

    int unwatch(int fd) noexcept override { return watches_.erase(fd) != 0 ? 0 : ENOENT; }

    int reset() noexcept override {
        watches_.clear();
        return 0;
    }

    bool poll(time_point deadline, listener& to) noexcept override {
        ++polls_;
        if (deadline != time_point::min()) {
            ++sleeps_;
            sleep_until(deadline);
        }
        interrupted_.store(false);
        for (const auto& [token, events] : std::exchange(loose_, {})) {
            to.on_ready(token, events);
        }
        while (!script_.empty() && script_.begin()->first <= now_) {
            const auto [fd, events] = script_.begin()->second;
            script_.erase(script_.begin());
            if (const auto it = watches_.find(fd); it != watches_.end()) {
                to.on_ready(it->second.token, events);
            }
        }
        return more_;
    }

    void interrupt() noexcept override {
        interrupted_.store(true);
        interrupted_.notify_all();
    }

    void forked() override {
        ++forks_;
        watches_.clear();
        loose_.clear();
        script_.clear();
    }

private:
    void sleep_until(time_point deadline) {
        if (!loose_.empty() || interrupted_.load()) {
            return;
        }
        const time_point event = script_.empty() ? never : script_.begin()->first;
        const time_point until = event < deadline ? event : deadline;
        if (until == never) {
            interrupted_.wait(false);
        } else if (until > now_) {
            now_ = until;
        }
    }

    time_point now_{};
    std::multimap<time_point, std::pair<int, std::uint32_t>> script_;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> loose_;
    std::map<int, watched> watches_;
    std::map<int, int> refused_;
    bool more_ = false;
    std::size_t polls_ = 0;
    std::size_t sleeps_ = 0;
    std::size_t forks_ = 0;
    std::atomic<bool> interrupted_{false};
};

} // namespace tendril::detail
