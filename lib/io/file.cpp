// SPDX-License-Identifier: BSL-1.0
#include "io/file.hpp"

#include "io/operation.hpp"
#include "io/retry.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <linux/magic.h>
#include <memory>
#include <string>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace tendril::detail::io {

namespace {

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
                             call, [](opening& work) { work.run(); },
                             retry_reason("open", -1, o, hub), o.deadline, offload_to::own_thread)
                             .first;
        return end == wake::ready ? std::exchange(call->result, -ECANCELED)
                                  : hub_io::outcome(end, true);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
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
    return sys::real.fstat(fd, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
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

bool is_at_size_limit(int fd, std::optional<off_t> offset) noexcept {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return false;
    }
    off_t next = 0;
    struct stat status {};
    if (!offset.has_value()) {
        next = ::lseek(fd, 0, SEEK_CUR);
    } else if ((sys::real.fcntl(fd, F_GETFL) & O_APPEND) != 0 &&
               sys::real.fstat(fd, &status) == 0) {
        next = status.st_size; // pwrite(2), "BUGS": it appends all the same
    } else {
        next = *offset;
    }
    return next >= 0 && static_cast<rlim_t>(next) >= limit.rlim_cur;
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
    o.what = "flock";
    return try_until_free(io->hub(), fd, o, [&] { return call(LOCK_NB); });
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
    o.what = "fcntl lock";
    return try_until_free(io->hub(), fd, o, [&] {
        const int result = result_of(sys::real.fcntl(fd, without_waiting, lock));
        return result == -EACCES ? -EAGAIN : result; // POSIX allows both
    });
}

} // namespace tendril::detail::io
