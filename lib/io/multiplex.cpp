// SPDX-License-Identifier: BSL-1.0
// Waiting for several fds, by level: the kernel's own poll decides what is ready, before and after
// the wait; our lists only say when to ask again.
#include "io/operation.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <new>

namespace tendril::detail::io {

namespace {

std::uint32_t interest_of(short events) noexcept {
    return ((events & (POLLIN | POLLRDNORM)) != 0 ? readiness::in : 0U) |
           ((events & (POLLOUT | POLLWRNORM | POLLWRBAND)) != 0 ? readiness::out : 0U) |
           ((events & (POLLPRI | POLLRDBAND)) != 0 ? readiness::pri : 0U) |
           ((events & POLLRDHUP) != 0 ? readiness::rdhup : 0U) |
           // poll(2) reports these unasked.
           readiness::hup | readiness::err;
}

/// The waiters of one poll call, all with the same ticket.
class waiter_array {
public:
    explicit waiter_array(std::size_t count) noexcept {
        if (count > few_.size()) {
            many_.reset(new (std::nothrow) fd_waiter[count]);
            waiters_ = many_.get();
        } else {
            waiters_ = few_.data();
        }
    }
    bool valid() const noexcept { return waiters_ != nullptr; }
    fd_waiter& operator[](std::size_t i) noexcept { return waiters_[i]; }

private:
    std::array<fd_waiter, 4> few_;
    std::unique_ptr<fd_waiter[]> many_;
    fd_waiter* waiters_;
};

/// Parks until something may have happened to one of the fds; 0, or a negative errno.
int park_on(hub_io& io, pollfd* fds, std::size_t count, waiter_array& waiters, time_point deadline,
            const wait_reason& why) noexcept {
    const ticket who = io.hub().prepare();
    time_point until = deadline;
    for (std::size_t i = 0; i < count; ++i) {
        if (fds[i].fd < 0) {
            continue;
        }
        fd_waiter& w = waiters[i];
        w.who = who;
        w.want = interest_of(fds[i].events);
        w.closed = false;
        const int refused = io.enlist(fds[i].fd, w);
        // An fd that is always ready would have been reported, had the program asked for it.
        if (refused != 0 && refused != hub_io::always_ready) {
            until = std::min(until, io.hub().now() + hub_io::retry_interval);
        }
    }
    const wake end = io.hub().park(who, why, until);
    for (std::size_t i = 0; i < count; ++i) {
        if (fds[i].fd >= 0) {
            io.leave(fds[i].fd, waiters[i]);
        }
    }
    const int r = hub_io::outcome(end, until == deadline);
    return r == -EBADF ? 0 : r;
}

/// An fd that was closed while we waited is reported even if its number is in use again.
int mark_closed(pollfd* fds, std::size_t count, waiter_array& waiters, int ready) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        if (fds[i].fd >= 0 && waiters[i].closed) {
            ready += fds[i].revents == 0 ? 1 : 0;
            fds[i].revents = POLLNVAL;
        }
    }
    return ready;
}

/// poll, select, epoll_wait and sleeps are never restarted. True: a handler has run already,
/// between two parts of the wait.
bool interrupted(wait_reason& why, options& o, const hub_core& hub,
                 interruption by_signals = interruption::always) noexcept {
    if (!o.as_program) {
        return false;
    }
    why.by_signals = by_signals;
    why.since = o.begun = o.begun != 0 ? o.begun : hub.switches();
    return hub.is_interrupted(why);
}

bool nothing_to_watch(const pollfd* fds, std::size_t count) noexcept {
    return std::all_of(fds, fds + count, [](const pollfd& p) { return p.fd < 0; });
}

} // namespace

int sleep(time_point until, options& o) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    o.waited = true;
    hub_core& hub = io->hub();
    wait_reason why{wait_kind::sleep, o.what != nullptr ? o.what : "sleep"};
    if (interrupted(why, o, hub)) {
        return -EINTR;
    }
    const wake end = hub.park(hub.prepare(), why, until);
    return end == wake::timeout ? 0 : hub_io::outcome(end, true);
}

namespace {

int poll(pollfd* fds, nfds_t count, options& o, interruption by_signals) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    int ready = result_of(sys::real.poll(fds, count, 0));
    if (ready != 0) {
        io->hub().charge();
        return ready;
    }
    if (o.deadline != never && o.deadline <= io->hub().now()) {
        io->hub().charge();
        return 0;
    }
    if (nothing_to_watch(fds, count)) {
        options rest = o;
        rest.what = o.what != nullptr ? o.what : "poll";
        const int end = sleep(o.deadline, rest);
        o.waited = true;
        return end;
    }
    waiter_array waiters(count);
    if (!waiters.valid()) {
        return -ENOMEM;
    }
    o.waited = true;
    wait_reason why{wait_kind::poll, o.what != nullptr ? o.what : "poll",
                    count == 1 ? fds[0].fd : -1};
    int end = 0;
    do {
        end = interrupted(why, o, io->hub(), by_signals)
                  ? -EINTR
                  : park_on(*io, fds, count, waiters, o.deadline, why);
        if (end == -ECANCELED) {
            ready = end;
        } else if (ready = result_of(sys::real.poll(fds, count, 0)); ready >= 0) {
            ready = mark_closed(fds, count, waiters, ready);
        }
    } while (ready == 0 && end == 0);
    if (ready == 0 && end == -EINTR) {
        ready = end;
    }
    for (nfds_t i = 0; i < count; ++i) {
        if (fds[i].fd >= 0) {
            io->rejuvenate(fds[i].fd);
        }
    }
    return ready;
}

} // namespace

int poll(pollfd* fds, nfds_t count, options& o) noexcept {
    return poll(fds, count, o, interruption::always);
}

int wait(int fd, short events, options& o, interruption by_signals) noexcept {
    pollfd p{fd, events, 0};
    const int r = poll(&p, 1, o, by_signals);
    return r <= 0 ? r : p.revents;
}

// ----------------------------------------------------------------------------------------- select

namespace {

/// An fd_set of any size, as the array of words that it is.
class big_set {
public:
    explicit big_set(fd_set* set) noexcept
        : words_(reinterpret_cast<unsigned long*>(set)) {}

    bool has(int fd) const noexcept {
        return words_ != nullptr && (words_[word(fd)] & bit(fd)) != 0;
    }
    /// Returns 1 if the fd was in the set and stays there.
    int keep(int fd, bool condition) noexcept {
        if (!has(fd)) {
            return 0;
        }
        if (!condition) {
            words_[word(fd)] &= ~bit(fd);
        }
        return condition ? 1 : 0;
    }
    /// The kernel writes whole words: nothing is ready from this fd on to the end of its word.
    void end(int fd) noexcept {
        if (words_ != nullptr && static_cast<std::size_t>(fd) % bits_per_word != 0) {
            words_[word(fd)] &= bit(fd) - 1;
        }
    }

private:
    static std::size_t word(int fd) noexcept {
        return static_cast<std::size_t>(fd) / bits_per_word;
    }
    static unsigned long bit(int fd) noexcept {
        return 1UL << (static_cast<std::size_t>(fd) % bits_per_word);
    }
    static constexpr std::size_t bits_per_word = sizeof(long) * CHAR_BIT;

    unsigned long* words_;
};

// What each set means in terms of poll: fs/select.c.
constexpr short in_set = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
constexpr short out_set = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
constexpr short pri_set = POLLPRI;

} // namespace

int select(int nfds, fd_set* in, fd_set* out, fd_set* pri, options& o) noexcept {
    if (nfds < 0) {
        return -EINVAL;
    }
    std::array<big_set, 3> sets{big_set(in), big_set(out), big_set(pri)};
    std::size_t count = 0;
    for (int fd = 0; fd < nfds; ++fd) {
        count += sets[0].has(fd) || sets[1].has(fd) || sets[2].has(fd) ? 1 : 0;
    }
    const std::unique_ptr<pollfd[]> fds(new (std::nothrow) pollfd[count]);
    if (fds == nullptr) {
        return -ENOMEM;
    }
    std::size_t i = 0;
    for (int fd = 0; fd < nfds; ++fd) {
        const int events = (sets[0].has(fd) ? POLLIN : 0) | (sets[1].has(fd) ? POLLOUT : 0) |
                           (sets[2].has(fd) ? POLLPRI : 0);
        if (events != 0) {
            fds[i++] = {fd, static_cast<short>(events), 0};
        }
    }
    const auto reported = [&](const pollfd& p) {
        return (sets[0].has(p.fd) && (p.revents & in_set) != 0) ||
               (sets[1].has(p.fd) && (p.revents & out_set) != 0) ||
               (sets[2].has(p.fd) && (p.revents & pri_set) != 0);
    };
    pollfd* const end = fds.get() + count;
    options inner = o;
    inner.what = o.what != nullptr ? o.what : "select";
    for (;;) {
        const int ready = poll(fds.get(), count, inner);
        o.waited = o.waited || inner.waited;
        if (ready < 0) {
            return ready;
        }
        if (std::any_of(fds.get(), end,
                        [](const pollfd& p) { return (p.revents & POLLNVAL) != 0; })) {
            return -EBADF;
        }
        const time_point now = std::chrono::steady_clock::now();
        if (ready == 0 || o.deadline <= now || std::any_of(fds.get(), end, reported)) {
            break;
        }
        // A POLLHUP that none of the sets asks for, which poll would tell again and again.
        if (const int ended = sleep(std::min(o.deadline, now + hub_io::retry_interval), inner);
            ended != 0) {
            return ended;
        }
    }
    int kept = 0;
    for (i = 0; i < count; ++i) {
        kept += sets[0].keep(fds[i].fd, (fds[i].revents & in_set) != 0);
        kept += sets[1].keep(fds[i].fd, (fds[i].revents & out_set) != 0);
        kept += sets[2].keep(fds[i].fd, (fds[i].revents & pri_set) != 0);
    }
    for (big_set& set : sets) {
        set.end(nfds);
    }
    return kept;
}

namespace {

int wait_for_events(operation& op, epoll_event* events, int max_events,
                    time_point deadline) noexcept {
    // Asked without waiting each time: an epoll fd inside another gives a further edge only after
    // it was found empty.
    for (;;) {
        const int n = result_of(sys::real.epoll_wait(op.fd(), events, max_events, 0));
        if (n != 0) {
            op.done();
            return n;
        }
        if (deadline != never && deadline <= op.io().hub().now()) {
            op.io().hub().charge();
            return 0;
        }
        if (const int end = op.wait(); end != 0) {
            return end == -ETIMEDOUT
                       ? result_of(sys::real.epoll_wait(op.fd(), events, max_events, 0))
                       : end;
        }
    }
}

} // namespace

int epoll_wait(int epfd, epoll_event* events, int max_events, options& o) noexcept {
    options inner = o;
    inner.as_program = false; // O_NONBLOCK and timeouts of an epoll fd mean nothing
    operation op(epfd, inwards, wait_kind::poll, "epoll_wait", inner);
    if (op.error() != 0) {
        return op.error();
    }
    if (o.as_program) {
        op.interrupted_always();
    }
    const int r = wait_for_events(op, events, max_events, o.deadline);
    o.waited = inner.waited;
    return r;
}

} // namespace tendril::detail::io
