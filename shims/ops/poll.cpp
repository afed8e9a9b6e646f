// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/scratch.hpp"
#include "shims/ops/signal_mask.hpp"
#include "shims/ops/time_spec.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

namespace tendril::detail::shim::ops {

namespace {

constexpr timespec at_once = {0, 0};

// --- select --------------------------------------------------------------------------------------

constexpr std::size_t bits_per_word = 8 * sizeof(fd_mask);

/// A set of any size, of which libc's macros would only see FD_SETSIZE.
class wide_set {
public:
    wide_set(const fd_set* from, int count, int room) noexcept
        : words_(words(room))
        , bits_(words_) {
        if (bits_.data() != nullptr) {
            std::fill_n(bits_.data(), words_, 0);
            if (from != nullptr) {
                std::copy_n(reinterpret_cast<const fd_mask*>(from), words(count), bits_.data());
            }
        }
    }
    bool valid() noexcept { return bits_.data() != nullptr; }
    fd_set* get() noexcept { return reinterpret_cast<fd_set*>(bits_.data()); }
    void add(int fd) noexcept { word(fd) |= bit(fd); }
    bool has(int fd) noexcept { return (word(fd) & bit(fd)) != 0; }
    void give(fd_set* to, int count) noexcept {
        if (to != nullptr) {
            std::copy_n(bits_.data(), words(count), reinterpret_cast<fd_mask*>(to));
        }
    }

    static std::size_t words(int count) noexcept {
        return (static_cast<std::size_t>(count) + bits_per_word - 1) / bits_per_word;
    }

private:
    fd_mask& word(int fd) noexcept {
        return bits_.data()[static_cast<std::size_t>(fd) / bits_per_word];
    }
    static fd_mask bit(int fd) noexcept {
        return static_cast<fd_mask>(1UL << (static_cast<std::size_t>(fd) % bits_per_word));
    }

    std::size_t words_;
    scratch<fd_mask, FD_SETSIZE / bits_per_word> bits_;
};

/// Whether the kernel's table of fds has room for this one. If not, select passes over it, and does
/// not write that part of the set.
bool is_in_table(int fd) noexcept {
    int ready = 0;
    wide_set set(nullptr, 0, fd + 1);
    if (!set.valid()) {
        return false;
    }
    do {
        set.add(fd);
        ready = negative(libc.pselect(fd + 1, nullptr, nullptr, set.get(), &at_once, nullptr));
    } while (ready == -EINTR);
    return ready != 0 || !set.has(fd);
}

/// For how many fds the kernel reads and writes the sets. Programs that ask for getdtablesize() of
/// them have sets of FD_SETSIZE all the same.
int looked_at(int count) noexcept {
    int size = FD_SETSIZE;
    while (size < count && is_in_table(size)) {
        size = size > INT_MAX / 2 ? INT_MAX : 2 * size;
    }
    return std::min(count, size);
}

/// The three sets of a select, as they were given.
class three_sets {
public:
    three_sets(int count, fd_set* in, fd_set* out, fd_set* pri) noexcept
        : count_(count)
        , given_{in, out, pri} {}

    /// libc's own, at once, with the caller's mask. The caller's sets change only if it found some.
    int attempt(const sigset_t* mask) noexcept {
        wide_set a(given_[0], count_, count_);
        wide_set b(given_[1], count_, count_);
        wide_set c(given_[2], count_, count_);
        if (!a.valid() || !b.valid() || !c.valid()) {
            return -ENOMEM;
        }
        const int ready = negative(libc.pselect(count_, a.get(), b.get(), c.get(), &at_once, mask));
        if (ready > 0) {
            a.give(given_[0], count_);
            b.give(given_[1], count_);
            c.give(given_[2], count_);
        }
        return ready;
    }

    /// Waits until an fd of the sets may be ready, or `signals` is, and changes nothing.
    int wait(int signals, io::options& o) noexcept {
        const int room = std::max(count_, signals + 1);
        wide_set a(given_[0], count_, room);
        wide_set b(given_[1], count_, room);
        wide_set c(given_[2], count_, room);
        if (!a.valid() || !b.valid() || !c.valid()) {
            return -ENOMEM;
        }
        if (signals >= 0) {
            a.add(signals);
        }
        return io::select(room, a.get(), b.get(), c.get(), o);
    }

    void clear() noexcept {
        for (fd_set* const each : given_) {
            wide_set(nullptr, count_, count_).give(each, count_);
        }
    }

private:
    int count_;
    fd_set* given_[3];
};

int masked_select(three_sets sets, time_point deadline, const sigset_t* mask,
                  io::options& o) noexcept {
    int ready = sets.attempt(mask);
    if (ready == 0 && deadline != time_point::min()) {
        masked_signals signals(mask);
        bool more = true;
        while (ready == 0 && more) {
            o.deadline = signals.next_look(deadline);
            const int woken = sets.wait(signals.fd(), o);
            const bool looks = woken == 0 && o.deadline != deadline;
            const bool lost = woken == -EBADF && signals.is_lost();
            if (looks || lost) {
                signals.renew();
            }
            more = woken > 0 || looks || lost;
            ready = more ? sets.attempt(mask) : woken;
        }
    }
    if (ready == 0) {
        sets.clear();
    }
    return ready;
}

/// Of select(2): glibc carries whole seconds over from tv_usec before the kernel looks.
bool duration_of(const timeval& t, std::chrono::nanoseconds& duration) noexcept {
    constexpr suseconds_t million = 1'000'000;
    if (t.tv_sec < 0 || t.tv_usec < 0) {
        return false;
    }
    std::int64_t seconds;
    if (__builtin_add_overflow(std::int64_t{t.tv_sec}, t.tv_usec / million, &seconds)) {
        seconds = INT64_MAX;
    }
    duration = shim::duration_of(timespec{seconds, (t.tv_usec % million) * 1000});
    return true;
}

} // namespace

int poll(struct pollfd* fds, nfds_t count, int timeout) noexcept {
    return call(
        tendril_shim_index_poll,
        [&](hub_core&, io::options& o) {
            o.deadline = deadline_in_milliseconds(timeout);
            return io::poll(fds, count, o);
        },
        [&] { return libc.poll(fds, count, timeout); });
}

int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* timeout,
          const sigset_t* mask) noexcept {
    return call(
        tendril_shim_index_ppoll,
        [&](hub_core&, io::options& o) {
            if (timeout != nullptr && !valid(*timeout)) {
                return -EINVAL;
            }
            o.deadline = deadline_of(timeout);
            return mask == nullptr ? io::poll(fds, count, o)
                                   : masked_poll(fds, count, o.deadline, mask, o);
        },
        [&] { return libc.ppoll(fds, count, timeout, mask); });
}

int select(int count, fd_set* in, fd_set* out, fd_set* pri, struct timeval* timeout) noexcept {
    return call(
        tendril_shim_index_select,
        [&](hub_core&, io::options& o) {
            const int looked = looked_at(count);
            if (timeout == nullptr) {
                return io::select(looked, in, out, pri, o);
            }
            std::chrono::nanoseconds duration;
            if (!duration_of(*timeout, duration)) {
                return -EINVAL;
            }
            const time_point deadline = deadline_in(duration);
            o.deadline = deadline;
            const int result = io::select(looked, in, out, pri, o);
            if (deadline != never && duration.count() != 0) {
                const auto left =
                    std::chrono::duration_cast<std::chrono::microseconds>(left_until(deadline));
                timeout->tv_sec = left.count() / 1'000'000;
                timeout->tv_usec = left.count() % 1'000'000;
            }
            return result;
        },
        [&] { return libc.select(count, in, out, pri, timeout); });
}

int pselect(int count, fd_set* in, fd_set* out, fd_set* pri, const struct timespec* timeout,
            const sigset_t* mask) noexcept {
    return call(
        tendril_shim_index_pselect,
        [&](hub_core&, io::options& o) {
            if (count < 0 || (timeout != nullptr && !valid(*timeout))) {
                return -EINVAL;
            }
            o.deadline = deadline_of(timeout);
            const int looked = looked_at(count);
            return mask == nullptr ? io::select(looked, in, out, pri, o)
                                   : masked_select({looked, in, out, pri}, o.deadline, mask, o);
        },
        [&] { return libc.pselect(count, in, out, pri, timeout, mask); });
}

} // namespace tendril::detail::shim::ops
