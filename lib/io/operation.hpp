// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/fd_traits.hpp"
#include "io/hub_io.hpp"
#include "io/operations.hpp"

#include <cerrno>
#include <mutex>
#include <sys/types.h>

namespace tendril::detail::io {

/// Which way an operation goes: what it waits for, and by which socket option the program limits
/// it.
struct direction {
    std::uint32_t bit;
    std::uint8_t timeout_trait;
    std::uint8_t never_trait;
    int timeout_option;
};
inline constexpr direction inwards{readiness::in, trait::receive_timeout, trait::receive_never,
                                   SO_RCVTIMEO};
inline constexpr direction outwards{readiness::out, trait::send_timeout, trait::send_never,
                                    SO_SNDTIMEO};

/// This thread's hub; null with `error` set (positive) when it cannot be made.
hub_io* this_hub(int& error) noexcept;

/// One blocking call while it lasts: call first, wait on EAGAIN, call again.
class operation {
public:
    operation(int fd, const direction& d, wait_kind kind, const char* name, options& o) noexcept
        : fd_(fd)
        , direction_(d)
        , why_{kind, o.what != nullptr ? o.what : name, fd}
        , options_(o)
        , part_done_(o.part_done) {
        io_ = this_hub(error_);
        if (o.as_program) {
            why_.by_signals = interruption::unless_restarted;
        }
        if (const fd_entry* e = fd_table::find(fd)) {
            closings_ = e->closings.load(std::memory_order_acquire);
        }
    }
    ~operation() {
        if (parked_) {
            io_->rejuvenate(fd_);
        }
    }
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

    int error() const noexcept { return -error_; } ///< 0, or why there is no hub

    /// After EAGAIN: parks until it is worth another try, and returns 0. Negative: what the call
    /// ends with. hub_io::always_ready: the kernel can not wait for this fd; call it as it is.
    int wait() noexcept;
    /// Likewise, but also 0 at a point in time, because the fd's readiness might not tell.
    int wait_until(time_point retry, std::uint32_t want = 0) noexcept;

    /// A part is done, and the kernel would give the next one the whole timeout of the program
    /// again.
    void restart() noexcept { begun_ = false; }

    /// A part is done: from now on any handler ends the call, SA_RESTART or not, for the kernel
    /// returns what it has then.
    void did_part() noexcept {
        part_done_ = true;
        options_.begun = 0; // handlers that ran before it do not count
    }

    /// Signals end it as they end epoll_wait.
    void interrupted_always() noexcept { why_.by_signals = interruption::always; }

    /// Waiting also ends when there is news of these, which must outlive the operation.
    void mind(const patient_calls& calls) noexcept { calls_ = &calls; }

    /// What an expired timeout of the program ends the call with (of ours: -ETIMEDOUT).
    void expires_with(int result) noexcept { program_expiry_ = result; }

    /// To be called with the last attempt's result (not -EAGAIN), once. `left_nothing`: the attempt
    /// proved that no readiness remains.
    void done(bool left_nothing = false) noexcept {
        if (!left_nothing) {
            io_->pass_on(fd_, direction_.bit);
        }
        if (!options_.waited) {
            io_->hub().charge();
        }
    }

    /// True if a plain read now would only fetch EAGAIN; see source::drained.
    bool known_empty() const noexcept {
        const fd_entry* e = fd_table::find(fd_);
        return e != nullptr && e->first.owner.load(std::memory_order_relaxed) == io_ &&
               e->first.state.load(std::memory_order_relaxed) == source::drained;
    }

    /// A plain read of `size` bytes returned `n`: did it empty the fd? Remembers it if so.
    bool emptied(ssize_t n, std::size_t size) noexcept;

    /// An end of the stream, or an error, was reported for the fd: what is there is all there will
    /// be.
    bool saw_end() noexcept {
        fd_entry* e = fd_table::find(fd_);
        const source* s = e == nullptr ? nullptr : io_->own(*e);
        constexpr std::uint32_t ends = readiness::rdhup | readiness::hup | readiness::err;
        return s != nullptr && (s->state.load(std::memory_order_relaxed) & ends) != 0;
    }

    /// Makes an attempt; after a wait only on the description that the operation began with. The
    /// kernel holds on to that while a call blocks, but we call again by number, and in between
    /// another fiber or thread may have made it a connection that is none of ours. Whoever closes
    /// takes the entry's lock first, so `call`, which must not wait, is made under it.
    template <typename Call>
    auto attempt(Call&& call) noexcept -> decltype(call()) {
        if (!parked_) [[likely]] {
            return call();
        }
        fd_entry* const e = fd_table::find(fd_);
        if (e == nullptr) {
            return call();
        }
        const std::lock_guard lock(e->lock);
        return is_same(*e) ? call() : -EBADF;
    }

    /// The same for a call that may take long: another thread's close can come just before it.
    template <typename Call>
    auto long_attempt(Call&& call) noexcept -> decltype(call()) {
        const fd_entry* const e = parked_ ? fd_table::find(fd_) : nullptr;
        return e == nullptr || is_same(*e) ? call() : -EBADF;
    }

    int fd() const noexcept { return fd_; }
    const wait_reason& why() const noexcept { return why_; }
    hub_io& io() noexcept { return *io_; }

    /// Call, wait on -EAGAIN, call again. `attempt` returns a result or -errno.
    template <typename Call>
    ssize_t run(Call&& call) noexcept {
        return repeat([&] { return attempt(call); });
    }

    /// With long_attempt().
    template <typename Call>
    ssize_t run_long(Call&& call) noexcept {
        return repeat([&] { return long_attempt(call); });
    }

    /// The same for a plain read of `size` bytes, which is not even tried when it would find
    /// nothing.
    template <typename Call>
    ssize_t run_read(std::size_t size, Call&& call) noexcept {
        int end = known_empty() ? wait() : 0;
        for (;;) {
            if (end == -EBADF || end == -ECANCELED) {
                return end;
            }
            // Also after a deadline, because it may have arrived meanwhile.
            const ssize_t r = attempt(call);
            if (r != -EAGAIN) {
                done(emptied(r, size));
                return r;
            }
            if (end != 0) {
                return end;
            }
            end = wait();
        }
    }

private:
    template <typename Attempt>
    ssize_t repeat(Attempt once) noexcept {
        for (;;) {
            const ssize_t r = once();
            if (r != -EAGAIN) {
                done();
                return r;
            }
            if (const int end = wait(); end != 0) {
                return end;
            }
        }
    }

    void begin_waiting() noexcept;
    int begin_part() noexcept;
    bool is_same(const fd_entry& e) const noexcept {
        return e.closings.load(std::memory_order_acquire) == closings_;
    }

    int fd_;
    const direction& direction_;
    wait_reason why_;
    options& options_;
    hub_io* io_ = nullptr;
    const patient_calls* calls_ = nullptr;
    int error_ = 0;
    int program_expiry_ = -EAGAIN;
    int expiry_ = -ETIMEDOUT;
    std::uint32_t closings_ = 0; ///< of the entry, when the operation began
    bool parked_ = false;
    bool begun_ = false;
    bool part_done_ = false;
    bool nonblock_ = false; ///< EAGAIN is the answer
    time_point limit_ = never;
};

/// The result of a libc call as ours.
inline ssize_t result_of(ssize_t r) noexcept {
    return r < 0 ? -errno : r;
}
inline int result_of(int r) noexcept {
    return r < 0 ? -errno : r;
}

} // namespace tendril::detail::io
