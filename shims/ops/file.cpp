// SPDX-License-Identifier: BSL-1.0
#include "io/file.hpp"

#include "io/retry.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

#include <cstdarg>
#include <unistd.h>

namespace tendril::detail::shim::ops {

namespace {

mode_t mode_of(void* argument) noexcept {
    return static_cast<mode_t>(reinterpret_cast<std::uintptr_t>(argument));
}

int open_at(int folder, const char* path, int flags, mode_t mode, io::options& o) noexcept {
    const int fd = io::openat(folder, path, flags, mode, o);
    if (fd >= 0) {
        const errno_kept kept;
        io::closing(fd); // who still waits for an older fd of this number
    }
    return fd;
}

} // namespace

int open(const char* path, int flags, ...) noexcept {
    va_list list;
    va_start(list, flags);
    void* const argument = va_arg(list, void*);
    va_end(list);
    return call(
        tendril_shim_index_open,
        [&](hub_core&, io::options& o) {
            return open_at(AT_FDCWD, path, flags, mode_of(argument), o);
        },
        [&] { return libc.open(path, flags, argument); });
}

int openat(int folder, const char* path, int flags, ...) noexcept {
    va_list list;
    va_start(list, flags);
    void* const argument = va_arg(list, void*);
    va_end(list);
    return call(
        tendril_shim_index_openat,
        [&](hub_core&, io::options& o) {
            return open_at(folder, path, flags, mode_of(argument), o);
        },
        [&] { return libc.openat(folder, path, flags, argument); });
}

int creat(const char* path, mode_t mode) noexcept {
    return call(
        tendril_shim_index_creat,
        [&](hub_core&, io::options& o) {
            return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, o);
        },
        [&] { return libc.creat(path, mode); });
}

int fsync(int fd) noexcept {
    return call(
        tendril_shim_index_fsync, [&](hub_core&, io::options& o) { return io::fsync(fd, o); },
        [&] { return libc.fsync(fd); });
}

int fdatasync(int fd) noexcept {
    return call(
        tendril_shim_index_fdatasync,
        [&](hub_core&, io::options& o) { return io::fdatasync(fd, o); },
        [&] { return libc.fdatasync(fd); });
}

int syncfs(int fd) noexcept {
    return call(
        tendril_shim_index_syncfs, [&](hub_core&, io::options& o) { return io::syncfs(fd, o); },
        [&] { return libc.syncfs(fd); });
}

void sync() noexcept {
    call(
        tendril_shim_index_sync,
        [&](hub_core&, io::options& o) {
            io::sync(o);
            return 0;
        },
        [] {
            libc.sync();
            return 0;
        });
}

int fallocate(int fd, int mode, off_t offset, off_t size) noexcept {
    return call(
        tendril_shim_index_fallocate,
        [&](hub_core& hub, io::options& o) {
            return io::on_disk(hub, {wait_kind::other, "fallocate", fd}, o,
                               [&] { return negative(libc.fallocate(fd, mode, offset, size)); });
        },
        [&] { return libc.fallocate(fd, mode, offset, size); });
}

// Gives the error as its result and leaves errno alone.
int posix_fallocate(int fd, off_t offset, off_t size) noexcept {
    return serve(
        tendril_shim_index_posix_fallocate,
        [&](hub_core& hub, io::options& o) {
            const errno_kept kept;
            return io::on_disk(hub, {wait_kind::other, "posix_fallocate", fd}, o,
                               [&] { return libc.posix_fallocate(fd, offset, size); });
        },
        [&] { return libc.posix_fallocate(fd, offset, size); });
}

int sync_file_range(int fd, off64_t offset, off64_t size, unsigned int flags) noexcept {
    return call(
        tendril_shim_index_sync_file_range,
        [&](hub_core& hub, io::options& o) {
            return io::on_disk(hub, {wait_kind::other, "sync_file_range", fd}, o, [&] {
                return negative(libc.sync_file_range(fd, offset, size, flags));
            });
        },
        [&] { return libc.sync_file_range(fd, offset, size, flags); });
}

int msync(void* memory, size_t size, int flags) noexcept {
    return call(
        tendril_shim_index_msync,
        [&](hub_core& hub, io::options& o) {
            const auto flush = [&] { return negative(libc.msync(memory, size, flags)); };
            return (flags & MS_SYNC) == 0 ? flush()
                                          : io::on_disk(hub, {wait_kind::other, "msync"}, o, flush);
        },
        [&] { return libc.msync(memory, size, flags); });
}

// Waits only until the kernel's generator has its first seed.
ssize_t getrandom(void* buffer, size_t size, unsigned int flags) noexcept {
    return call(
        tendril_shim_index_getrandom,
        [&](hub_core& hub, io::options& o) {
            const ssize_t got = negative(libc.getrandom(buffer, size, flags | GRND_NONBLOCK));
            if (got != -EAGAIN || (flags & GRND_NONBLOCK) != 0) {
                return got;
            }
            o.what = "getrandom";
            return io::try_until_free(hub, -1, o, [&] {
                return negative(libc.getrandom(buffer, size, flags | GRND_NONBLOCK));
            });
        },
        [&] { return libc.getrandom(buffer, size, flags); });
}

int flock(int fd, int operation) noexcept {
    return call(
        tendril_shim_index_flock,
        [&](hub_core&, io::options& o) { return io::flock(fd, operation, o); },
        [&] { return libc.flock(fd, operation); });
}

// lockf(3) is fcntl from the current position on.
int lockf(int fd, int command, off_t size) noexcept {
    return call(
        tendril_shim_index_lockf,
        [&](hub_core&, io::options& o) {
            if (command != F_LOCK) {
                return negative(libc.lockf(fd, command, size));
            }
            struct ::flock lock = {};
            lock.l_type = F_WRLCK;
            lock.l_whence = SEEK_CUR;
            lock.l_len = size;
            return io::set_lock(fd, F_SETLKW, &lock, o);
        },
        [&] { return libc.lockf(fd, command, size); });
}

} // namespace tendril::detail::shim::ops
