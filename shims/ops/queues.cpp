// SPDX-License-Identifier: BSL-1.0
//
// Queues and semaphores between processes: those of POSIX are fds on Linux (mq_overview(7)); those
// of System V tell nobody when they are ready.
#include "io/operation.hpp"
#include "io/retry.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/time_spec.hpp"

#include <algorithm>
#include <chrono>

namespace tendril::detail::shim::ops {

namespace {

using std::chrono::nanoseconds;

/// The wall clock may be set meanwhile.
constexpr nanoseconds slice = std::chrono::milliseconds(500);

/// Of the wall clock's.
nanoseconds left_until_time(const timespec& until) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return duration_of(until) - duration_of(now);
}

/// `attempt` is given a time that is over, and so does not wait.
template <typename Attempt>
ssize_t pass_message(int queue, const io::direction& d, wait_kind kind, const char* name,
                     const timespec* until, io::options& o, Attempt attempt) noexcept {
    if (until != nullptr && !valid(*until)) {
        return -EINVAL;
    }
    constexpr timespec over = {0, 0};
    for (;;) {
        const nanoseconds left = until == nullptr ? nanoseconds::max() : left_until_time(*until);
        o.deadline = until == nullptr ? never : deadline_in(std::min(left, slice));
        bool refused = false;
        io::operation op(queue, d, kind, name, o);
        if (op.error() != 0) {
            return op.error();
        }
        const ssize_t result = op.run([&] {
            const ssize_t r = negative(attempt(over));
            refused = r == -EAGAIN; // it has O_NONBLOCK
            return refused ? -ENOTSUP : r == -ETIMEDOUT ? -EAGAIN : r;
        });
        if (refused) {
            return -EAGAIN;
        }
        if (result != -ETIMEDOUT || left <= slice) {
            return result;
        }
    }
}

ssize_t receive(mqd_t queue, char* message, size_t room, unsigned int* priority,
                const timespec* until, io::options& o) noexcept {
    return pass_message(queue, io::inwards, wait_kind::read, "mq_receive", until, o,
                        [&](const timespec& over) {
                            return libc.mq_timedreceive(queue, message, room, priority, &over);
                        });
}

int send(mqd_t queue, const char* message, size_t size, unsigned int priority,
         const timespec* until, io::options& o) noexcept {
    return static_cast<int>(pass_message(
        queue, io::outwards, wait_kind::write, "mq_send", until, o, [&](const timespec& over) {
            return ssize_t{libc.mq_timedsend(queue, message, size, priority, &over)};
        }));
}

/// Of System V: a call with IPC_NOWAIT, and the error that it then gives in place of a wait.
template <typename Attempt>
auto retry(hub_core& hub, io::options& o, int would_wait, Attempt attempt) noexcept
    -> decltype(attempt()) {
    const auto result = io::try_until_free(
        hub, -1, o,
        [&] {
            const auto r = negative(attempt());
            return r == -would_wait ? -EAGAIN : r;
        },
        interruption::always);
    // Gone, and its number with it.
    return o.waited && result == -EINVAL ? -EIDRM : result;
}

int operate(int set, struct sembuf* operations, size_t count, const timespec* timeout,
            hub_core& hub, io::options& o) noexcept {
    constexpr std::size_t most = 500; // SEMOPM of Linux
    const auto waits = [](const sembuf& op) { return (op.sem_flg & IPC_NOWAIT) == 0; };
    sembuf own[most];
    if (timeout != nullptr && !valid(*timeout)) {
        return -EINVAL;
    }
    // If only some may wait, the kernel alone knows which it is.
    if (count > most || operations == nullptr || hub.has_nothing_else() ||
        !std::all_of(operations, operations + count, waits)) {
        return negative(libc.semtimedop(set, operations, count, timeout));
    }
    std::copy_n(operations, count, own);
    std::for_each(own, own + count,
                  [](sembuf& op) { op.sem_flg = static_cast<short>(op.sem_flg | IPC_NOWAIT); });
    o.what = "semop";
    o.deadline = deadline_of(timeout);
    const int result = retry(hub, o, EAGAIN, [&] { return libc.semop(set, own, count); });
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

} // namespace

// --- POSIX ---------------------------------------------------------------------------------------

ssize_t mq_receive(mqd_t queue, char* message, size_t room, unsigned int* priority) noexcept {
    return call(
        tendril_shim_index_mq_receive,
        [&](hub_core&, io::options& o) {
            return receive(queue, message, room, priority, nullptr, o);
        },
        [&] { return libc.mq_receive(queue, message, room, priority); });
}

ssize_t mq_timedreceive(mqd_t queue, char* message, size_t room, unsigned int* priority,
                        const struct timespec* until) noexcept {
    return call(
        tendril_shim_index_mq_timedreceive,
        [&](hub_core&, io::options& o) {
            return receive(queue, message, room, priority, until, o);
        },
        [&] { return libc.mq_timedreceive(queue, message, room, priority, until); });
}

int mq_send(mqd_t queue, const char* message, size_t size, unsigned int priority) noexcept {
    return call(
        tendril_shim_index_mq_send,
        [&](hub_core&, io::options& o) { return send(queue, message, size, priority, nullptr, o); },
        [&] { return libc.mq_send(queue, message, size, priority); });
}

int mq_timedsend(mqd_t queue, const char* message, size_t size, unsigned int priority,
                 const struct timespec* until) noexcept {
    return call(
        tendril_shim_index_mq_timedsend,
        [&](hub_core&, io::options& o) { return send(queue, message, size, priority, until, o); },
        [&] { return libc.mq_timedsend(queue, message, size, priority, until); });
}

// --- System V ------------------------------------------------------------------------------------

int msgsnd(int queue, const void* message, size_t size, int flags) noexcept {
    return call(
        tendril_shim_index_msgsnd,
        [&](hub_core& hub, io::options& o) {
            if ((flags & IPC_NOWAIT) != 0 || hub.has_nothing_else()) {
                return negative(libc.msgsnd(queue, message, size, flags));
            }
            o.what = "msgsnd";
            return retry(hub, o, EAGAIN,
                         [&] { return libc.msgsnd(queue, message, size, flags | IPC_NOWAIT); });
        },
        [&] { return libc.msgsnd(queue, message, size, flags); });
}

ssize_t msgrcv(int queue, void* message, size_t room, long type, int flags) noexcept {
    return call(
        tendril_shim_index_msgrcv,
        [&](hub_core& hub, io::options& o) {
            // MSG_COPY alone is refused, and with IPC_NOWAIT it would not be.
            if ((flags & (IPC_NOWAIT | MSG_COPY)) != 0 || hub.has_nothing_else()) {
                return negative(libc.msgrcv(queue, message, room, type, flags));
            }
            o.what = "msgrcv";
            return retry(hub, o, ENOMSG, [&] {
                return libc.msgrcv(queue, message, room, type, flags | IPC_NOWAIT);
            });
        },
        [&] { return libc.msgrcv(queue, message, room, type, flags); });
}

int semop(int set, struct sembuf* operations, size_t count) noexcept {
    return call(
        tendril_shim_index_semop,
        [&](hub_core& hub, io::options& o) {
            return operate(set, operations, count, nullptr, hub, o);
        },
        [&] { return libc.semop(set, operations, count); });
}

int semtimedop(int set, struct sembuf* operations, size_t count,
               const struct timespec* timeout) noexcept {
    return call(
        tendril_shim_index_semtimedop,
        [&](hub_core& hub, io::options& o) {
            return operate(set, operations, count, timeout, hub, o);
        },
        [&] { return libc.semtimedop(set, operations, count, timeout); });
}

} // namespace tendril::detail::shim::ops
