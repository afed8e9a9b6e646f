// SPDX-License-Identifier: BSL-1.0
#include "io/file.hpp"

#include "io/operation.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <linux/magic.h>
#include <memory>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace tendril::detail::io {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest_pause{1};
constexpr milliseconds longest_pause{20};

wait_reason reason(const char* what, int fd, options& o, const hub_core& hub) noexcept {
    wait_reason why{wait_kind::other, what, fd};
    if (o.as_program) {
        why.by_signals = interruption::unless_restarted;
        why.since = o.begun = o.begun != 0 ? o.begun : hub.switches();
    }
    return why;
}

/// Opening a FIFO waits for its other end (fifo(7)).
bool may_wait(int folder, const char* path, int flags) noexcept {
    struct stat status {};
    return (flags & (O_NONBLOCK | O_PATH)) == 0 && (flags & O_ACCMODE) != O_RDWR &&
           ::fstatat(folder, path, &status, 0) == 0 && S_ISFIFO(status.st_mode);
}

/// Owned by whoever still wants it.
struct opening {
    int folder;
    std::string path;
    int flags;
    mode_t mode;
    int result = -ECANCELED;

    ~opening() {
        if (result >= 0) {
            sys::real.close(result);
        }
    }
    void run() noexcept { result = result_of(sys::real.openat(folder, path.c_str(), flags, mode)); }
};

int open_fifo(hub_core& hub, int folder, const char* path, int flags, mode_t mode,
              options& o) noexcept {
    try {
        const auto call = std::make_shared<opening>(opening{folder, path, flags, mode});
        o.waited = true;
        const wake end = offload_with(
                             call, [](opening& work) { work.run(); }, reason("open", -1, o, hub),
                             o.deadline, offload_to::own_thread)
                             .first;
        return end == wake::ready ? std::exchange(call->result, -ECANCELED)
                                  : hub_io::outcome(end, true);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
}

/// `attempt()` until it gives something else than -EAGAIN.
template <typename Attempt>
int try_until_free(hub_core& hub, const char* what, int fd, options& o, Attempt attempt) noexcept {
    for (milliseconds pause = shortest_pause;; pause = std::min(2 * pause, longest_pause)) {
        const int result = attempt();
        if (result != -EAGAIN) {
            if (!o.waited) {
                hub.charge();
            }
            return result;
        }
        o.waited = true;
        const wait_reason why = reason(what, fd, o, hub);
        if (hub.is_interrupted(why)) {
            return -EINTR;
        }
        const wake end = hub.park(hub.prepare(), why, std::min(hub.now() + pause, o.deadline));
        if (end != wake::timeout) {
            return hub_io::outcome(end, true);
        }
        if (hub.now() >= o.deadline) {
            return -ETIMEDOUT;
        }
    }
}

template <typename Call>
int flush(int fd, const char* what, options& o, Call call) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    return io == nullptr ? -error : on_disk(io->hub(), {wait_kind::other, what, fd}, o, [&] {
        return result_of(call());
    });
}

} // namespace

bool is_on_disk(int fd) noexcept {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

bool is_in_memory(int fd) noexcept {
    struct statfs system {};
    if (::fstatfs(fd, &system) != 0) {
        return false;
    }
    switch (system.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        return true;
    default:
        return false;
    }
}

int openat(int folder, const char* path, int flags, mode_t mode, options& o) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    if (!io->hub().has_nothing_else() && may_wait(folder, path, flags)) {
        return open_fifo(io->hub(), folder, path, flags, mode, o);
    }
    return result_of(sys::real.openat(folder, path, flags, mode));
}

int fsync(int fd, options& o) noexcept {
    return flush(fd, "fsync", o, [fd] { return sys::real.fsync(fd); });
}

int fdatasync(int fd, options& o) noexcept {
    return flush(fd, "fdatasync", o, [fd] { return sys::real.fdatasync(fd); });
}

int syncfs(int fd, options& o) noexcept {
    return flush(fd, "syncfs", o, [fd] { return sys::real.syncfs(fd); });
}

void sync(options& o) noexcept {
    flush(-1, "sync", o, [] {
        sys::real.sync();
        return 0;
    });
}

int flock(int fd, int operation, options& o) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    const auto call = [&](int also) { return result_of(sys::real.flock(fd, operation | also)); };
    if ((operation & (LOCK_NB | LOCK_UN)) != 0 || io->hub().has_nothing_else()) {
        return call(0);
    }
    return try_until_free(io->hub(), "flock", fd, o, [&] { return call(LOCK_NB); });
}

int set_lock(int fd, int command, struct ::flock* lock, options& o) noexcept {
    int error = 0;
    hub_io* const io = this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    if (io->hub().has_nothing_else()) {
        return result_of(sys::real.fcntl(fd, command, lock));
    }
    const int without_waiting = command == F_SETLKW ? F_SETLK : F_OFD_SETLK;
    return try_until_free(io->hub(), "fcntl lock", fd, o, [&] {
        const int result = result_of(sys::real.fcntl(fd, without_waiting, lock));
        return result == -EACCES ? -EAGAIN : result; // POSIX allows both
    });
}

} // namespace tendril::detail::io
