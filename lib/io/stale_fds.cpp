// SPDX-License-Identifier: BSL-1.0
// What hub_io does about fds that were closed or replaced behind our back: by a raw system call, by
// a library that libc's own internals serve, by a vforked child.
#include "io/hub_io.hpp"
#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <new>
#include <sys/timerfd.h>
#include <utility>

namespace tendril::detail::io {

namespace {

constexpr auto period = std::chrono::milliseconds(100);

// Each is a system call. With 10,000 connections that all wait longer than a period, verifying
// every one of them took a tenth of an echo server's time.
constexpr std::size_t verifications_per_period = 256;

struct place {
    std::size_t word;
    std::uint64_t bit;
};

place place_of(int fd) noexcept {
    const auto number = static_cast<std::size_t>(fd);
    return {number / 64, std::uint64_t{1} << (number % 64)};
}

/// Ends all waits of a source, because what they wait for will never be reported.
void wake_all(source& s, wake why) noexcept {
    while (fd_waiter* w = s.waiters.load(std::memory_order_relaxed)) {
        w->closed = why == wake::closed;
        wake_waiter(s, *w, why);
    }
}

} // namespace

// ---------------------------------------------------------------------------- waits that grow old

void hub_io::age(int fd) noexcept {
    const auto [word, bit] = place_of(fd);
    if (word >= young_.size()) [[unlikely]] {
        try {
            old_.resize(word + 1 + word / 2); // first: old_ is never the shorter one
            young_.resize(word + 1 + word / 2);
        } catch (const std::bad_alloc&) {
            return; // this wait stays unverified
        }
    }
    // A wait that was ended by a false alarm and begins again does not become younger: the alarms
    // may be those of a description that is gone.
    young_[word] |= bit & ~old_[word];
    if (!armed_) {
        arm();
    }
}

void hub_io::rejuvenate(int fd) noexcept {
    const auto [word, bit] = place_of(fd);
    if (word >= young_.size()) {
        return;
    }
    fd_entry* const e = fd_table::find(fd);
    const source* s = e == nullptr ? nullptr : own(*e);
    if (s == nullptr || s->waiters.load(std::memory_order_relaxed) == nullptr) {
        young_[word] &= ~bit;
        old_[word] &= ~bit;
    }
}

void hub_io::distrust(int fd) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (e == nullptr || own(*e) == nullptr) {
        return;
    }
    const std::lock_guard lock(e->lock);
    source* const s = own(*e);
    if (s != nullptr && s->watched != 0 && s->waiters.load(std::memory_order_relaxed) == nullptr) {
        s->watched = 0;
        s->state.store(0, std::memory_order_relaxed);
        poller().unwatch(fd);
    }
}

void hub_io::arm() noexcept {
    if (period_fd_ < 0) {
        period_fd_ = sys::adopt(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
        if (period_fd_ < 0 || poller().watch(period_fd_, period_token, readiness::in) != 0) {
            close_period(); // out of fds: the next wait tries again
            return;
        }
    }
    itimerspec once{};
    once.it_value.tv_nsec = std::chrono::nanoseconds(period).count();
    armed_ = ::timerfd_settime(period_fd_, 0, &once, nullptr) == 0;
}

void hub_io::close_period() noexcept {
    if (period_fd_ >= 0) {
        sys::close_own(period_fd_);
        period_fd_ = -1;
    }
    armed_ = false;
}

void hub_io::tick() noexcept {
    armed_ = false;
    // Going round; what is not reached stays old.
    std::size_t left = verifications_per_period;
    for (std::size_t looked = 0; looked < old_.size() && left > 0; ++looked) {
        verified_word_ = verified_word_ + 1 < old_.size() ? verified_word_ + 1 : 0;
        for (std::uint64_t bits = old_[verified_word_]; bits != 0; bits &= bits - 1) {
            verify(static_cast<int>(verified_word_ * 64) + std::countr_zero(bits));
            left -= left > 0 ? 1 : 0;
        }
        old_[verified_word_] = 0;
    }
    for (std::size_t word = 0; word < young_.size(); ++word) {
        old_[word] |= std::exchange(young_[word], 0);
    }
    if (std::any_of(old_.begin(), old_.end(), [](std::uint64_t bits) { return bits != 0; })) {
        arm();
    }
}

/// The registration of an fd that somebody has been waiting for over a period: does it still stand?
void hub_io::verify(int fd) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (e == nullptr) {
        return;
    }
    const std::lock_guard lock(e->lock);
    source* const s = own(*e);
    if (s == nullptr || s->watched == 0 || s->waiters.load(std::memory_order_relaxed) == nullptr) {
        return;
    }
    int error = poller().rewatch(fd, s->token(fd), s->watched);
    if (error == ENOENT) {
        error = watch_anew(fd, *s);
    }
    if (error != 0) {
        give_up_watch(*s, error);
    }
}

void hub_io::give_up_watch(source& s, int error) noexcept {
    s.watched = 0;
    ++s.generation;
    // EBADF: closed. Anything else (EPERM: a file now): the calls find out themselves.
    wake_all(s, error == EBADF ? wake::closed : wake::ready);
}

// --------------------------------------------------------- reports of descriptions that are gone

/// A report that nobody can unsubscribe from any more: its fd number is gone, but its description
/// lives on in another process or under another number. Past a limit all registrations are made
/// anew.
void hub_io::stale() noexcept {
    ++stale_total_;
    if (++stale_ >= stale_limit_) {
        rebuild();
    }
}

void hub_io::rebuild() noexcept {
    stale_ = 0;
    if (poller().reset() != 0) {
        return; // out of fds or memory; the old set still works
    }
    if (period_fd_ >= 0 && poller().watch(period_fd_, period_token, readiness::in) != 0) {
        close_period(); // the next wait makes it anew
    }
    watch_all_anew();
}

/// All own fds are gone, and perhaps all of the program's.
void hub_io::on_lost() noexcept {
    if (period_fd_ >= 0) {
        sys::lose_own(std::exchange(period_fd_, -1));
        arm();
    }
    watch_all_anew();
}

void hub_io::watch_all_anew() noexcept {
    ++rebuilds_;
    stale_limit_ = 256;
    fd_table::for_each(
        [](void* self, int fd, fd_entry& e) {
            auto& io = *static_cast<hub_io*>(self);
            if (io.own(e) == nullptr) {
                return;
            }
            const std::lock_guard lock(e.lock);
            source* const s = io.own(e);
            if (s == nullptr || s->watched == 0) {
                return;
            }
            if (const int error = io.watch_anew(fd, *s); error != 0) {
                give_up_watch(*s, error);
            }
            ++io.stale_limit_; // the cost of rebuilding stays in proportion
        },
        this);
}

} // namespace tendril::detail::io
