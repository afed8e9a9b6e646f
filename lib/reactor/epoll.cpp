// SPDX-License-Identifier: BSL-1.0
#include "reactor/epoll.hpp"

#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <span>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace tendril::detail {

namespace {

// No fd has this token: the upper half of a caller's token may be anything, so
// the caller must not use all ones.
constexpr std::uint64_t wakeup_token = ~std::uint64_t{0};

std::uint32_t to_epoll(std::uint32_t bits) noexcept {
    return ((bits & readiness::in) != 0 ? EPOLLIN : 0U) |
           ((bits & readiness::out) != 0 ? EPOLLOUT : 0U) |
           ((bits & readiness::pri) != 0 ? EPOLLPRI : 0U) |
           ((bits & readiness::rdhup) != 0 ? EPOLLRDHUP : 0U);
}

std::uint32_t from_epoll(std::uint32_t bits) noexcept {
    return ((bits & EPOLLIN) != 0 ? readiness::in : 0U) |
           ((bits & EPOLLOUT) != 0 ? readiness::out : 0U) |
           ((bits & EPOLLPRI) != 0 ? readiness::pri : 0U) |
           ((bits & EPOLLRDHUP) != 0 ? readiness::rdhup : 0U) |
           ((bits & EPOLLHUP) != 0 ? readiness::hup : 0U) |
           ((bits & EPOLLERR) != 0 ? readiness::err : 0U);
}

/// How long a reactor that could not be opened sleeps before it tries again.
constexpr auto retry_interval = std::chrono::milliseconds(10);

} // namespace

epoll_reactor::epoll_reactor() {
    attached();
    if (const int error = open(); error != 0) {
        throw std::system_error(error, std::system_category(), "a hub's epoll(7) set");
    }
}

epoll_reactor::~epoll_reactor() {
    close();
}

/// 0, or the errno of what failed, and then nothing is open.
int epoll_reactor::open() noexcept {
    epoll_fd_ = sys::adopt(sys::real.epoll_create1(EPOLL_CLOEXEC));
    wakeup_fd_ = epoll_fd_ < 0 ? -1 : sys::adopt(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const int error = wakeup_fd_ < 0 ? errno : control_wakeup(epoll_fd_, EPOLL_CTL_ADD, 0);
    if (error != 0) {
        close();
    }
    return error;
}

/// The eventfd is always writable. So to ask for that is an edge, each time.
int epoll_reactor::control_wakeup(int epoll_fd, int operation,
                                  std::uint32_t interest) const noexcept {
    epoll_event event{};
    event.events = interest | EPOLLET;
    event.data.u64 = wakeup_token;
    return sys::real.epoll_ctl(epoll_fd, operation, wakeup_fd_, &event) == 0 ? 0 : errno;
}

void epoll_reactor::close() noexcept {
    for (std::atomic<int>* fd : {&epoll_fd_, &wakeup_fd_}) {
        if (*fd >= 0) {
            sys::close_own(fd->exchange(-1));
        }
    }
}

/// True if `error` came because our own fds are not what they were: programs close all fds, by
/// system calls that nobody sees. What came under their numbers since then is left alone.
bool epoll_reactor::made_anew(int error) noexcept {
    if ((error != EBADF && error != EINVAL) ||
        control_wakeup(epoll_fd_, EPOLL_CTL_MOD, EPOLLOUT) == 0) {
        return false;
    }
    sys::lose_own(epoll_fd_.exchange(-1));
    sys::lose_own(wakeup_fd_.exchange(-1));
    lost_ = true;
    return open() == 0;
}

time_point epoll_reactor::now() noexcept {
    return std::chrono::steady_clock::now();
}

int epoll_reactor::control(int operation, int fd, std::uint64_t token,
                           std::uint32_t interest) noexcept {
    // Only the owner's thread may make it; what is not there watches nothing.
    if (epoll_fd_ < 0 && operation != EPOLL_CTL_DEL) [[unlikely]] {
        if (const int error = open(); error != 0) {
            return error;
        }
    }
    epoll_event event{};
    event.events = to_epoll(interest) | EPOLLET;
    event.data.u64 = token;
    int error = sys::real.epoll_ctl(epoll_fd_, operation, fd, &event) == 0 ? 0 : errno;
    if (error != 0 && operation != EPOLL_CTL_DEL && made_anew(error)) [[unlikely]] {
        error = sys::real.epoll_ctl(epoll_fd_, operation, fd, &event) == 0 ? 0 : errno;
    }
    return error;
}

int epoll_reactor::watch(int fd, std::uint64_t token, std::uint32_t interest) noexcept {
    return control(EPOLL_CTL_ADD, fd, token, interest);
}

int epoll_reactor::rewatch(int fd, std::uint64_t token, std::uint32_t interest) noexcept {
    return control(EPOLL_CTL_MOD, fd, token, interest);
}

int epoll_reactor::unwatch(int fd) noexcept {
    return control(EPOLL_CTL_DEL, fd, 0, 0);
}

int epoll_reactor::reset() noexcept {
    const int fresh = sys::real.epoll_create1(EPOLL_CLOEXEC);
    if (fresh < 0) {
        return errno;
    }
    int error = control_wakeup(fresh, EPOLL_CTL_ADD, 0);
    // Replaced under the same number, because another thread may be inside unwatch(), and last, so
    // that until then nothing has changed.
    while (error == 0 && sys::real.dup3(fresh, epoll_fd_, O_CLOEXEC) < 0) {
        error = errno == EINTR || errno == EBUSY ? 0 : errno; // dup(2): EBUSY is a race
    }
    sys::real.close(fresh);
    return error;
}

int epoll_reactor::wait_milliseconds(time_point deadline) noexcept {
    int timeout = -1;
    if (deadline != never) {
        // Rounded up: waking early would spin until the deadline.
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
        timeout = left <= 0 ? 0 : left > INT_MAX ? INT_MAX : static_cast<int>(left);
    }
    return sys::real.epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()),
                                timeout);
}

int epoll_reactor::wait(time_point deadline) noexcept {
    if (deadline == time_point::min()) {
        return sys::real.epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()), 0);
    }
    if (deadline == never || !nanoseconds_) {
        return wait_milliseconds(deadline);
    }
    const auto left = std::chrono::ceil<std::chrono::nanoseconds>(deadline - now()).count();
    timespec timeout{};
    if (left > 0) {
        timeout.tv_sec = static_cast<time_t>(left / 1'000'000'000);
        timeout.tv_nsec = static_cast<long>(left % 1'000'000'000);
    }
    const int n = sys::real.epoll_pwait2(epoll_fd_, events_.data(),
                                         static_cast<int>(events_.size()), &timeout, nullptr);
    if (n < 0 && errno != EINTR && errno != EBADF && errno != EINVAL) {
        nanoseconds_ = false; // ENOSYS, or EPERM and others from a seccomp filter
        return wait_milliseconds(deadline);
    }
    return n;
}

bool epoll_reactor::poll(time_point deadline, listener& to) noexcept {
    if (epoll_fd_ < 0 && open() != 0) [[unlikely]] {
        if (deadline != time_point::min()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                std::min(deadline, now() + retry_interval) - now());
            sys::real.poll(nullptr, 0, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        }
        return false;
    }
    int n = 0;
    if (!lost_) [[likely]] {
        do {
            n = wait(deadline);
        } while (n < 0 && errno == EINTR && deadline != time_point::min() && !rouser_.is_on());
        if (n < 0 || rouser_.is_on()) [[unlikely]] {
            made_anew(rouser_.end() ? EBADF : errno);
        }
    }
    if (lost_ && epoll_fd_ >= 0) [[unlikely]] {
        lost_ = false;
        to.on_lost();
        return false;
    }
    deliver(static_cast<std::size_t>(std::max(n, 0)), to);
    return n == static_cast<int>(events_.size());
}

void epoll_reactor::deliver(std::size_t count, listener& to) noexcept {
    const std::span events(events_.data(), count);
    if (count > 1) {
        for (const bool again : {false, true}) {
            for (const epoll_event& event : events) {
                to.prefetch(event.data.u64, again);
            }
        }
    }
    for (const epoll_event& event : events) {
        if (event.data.u64 != wakeup_token) {
            to.on_ready(event.data.u64, from_epoll(event.events));
        }
    }
}

void epoll_reactor::attached() noexcept {
    owner_ = static_cast<pid_t>(::syscall(SYS_gettid));
}

void epoll_reactor::interrupt() noexcept {
    const int saved = errno; // may run in a signal handler
    // Not by a write, which tells nothing and may go into a file of the program's: this does
    // something only while the set and what is in it are the ones that were put there. If they are
    // not, the thread may still sleep in the set that was closed. Without a set it sleeps briefly.
    const int set = epoll_fd_;
    if (set >= 0 && control_wakeup(set, EPOLL_CTL_MOD, EPOLLOUT) != 0) [[unlikely]] {
        rouser_.begin(owner_);
    }
    errno = saved;
}

void epoll_reactor::forked() {
    // The epoll instance is shared with the parent: closing the copy leaves it
    // alone, EPOLL_CTL_DEL would take the parent's registrations away.
    close();
    lost_ = false;
    rouser_.forked();
    attached();
    // fork(2) has succeeded already. Without fds or memory now, whoever needs the set tries again.
    open();
}

} // namespace tendril::detail
