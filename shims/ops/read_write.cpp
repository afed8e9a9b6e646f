// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

namespace tendril::detail::shim::ops {

ssize_t read(int fd, void* buffer, size_t size) noexcept {
    return call(
        tendril_shim_index_read,
        [&](hub_core&, io::options& o) { return io::read(fd, buffer, size, o); },
        [&] { return libc.read(fd, buffer, size); });
}

ssize_t write(int fd, const void* buffer, size_t size) noexcept {
    return call(
        tendril_shim_index_write,
        [&](hub_core&, io::options& o) { return io::write(fd, buffer, size, o); },
        [&] { return libc.write(fd, buffer, size); });
}

ssize_t readv(int fd, const struct iovec* parts, int count) noexcept {
    return call(
        tendril_shim_index_readv,
        [&](hub_core&, io::options& o) { return io::readv(fd, parts, count, o); },
        [&] { return libc.readv(fd, parts, count); });
}

ssize_t writev(int fd, const struct iovec* parts, int count) noexcept {
    return call(
        tendril_shim_index_writev,
        [&](hub_core&, io::options& o) { return io::writev(fd, parts, count, o); },
        [&] { return libc.writev(fd, parts, count); });
}

// What has offsets is a file, which never makes anybody wait for readiness: these only count, and
// spend the fiber's budget. (What has none gives ESPIPE at once.)

ssize_t pread(int fd, void* buffer, size_t size, off_t offset) noexcept {
    const auto original = [&] { return libc.pread(fd, buffer, size, offset); };
    return call(
        tendril_shim_index_pread,
        [&](hub_core& hub, io::options&) {
            hub.charge();
            return negative(original());
        },
        original);
}

ssize_t pwrite(int fd, const void* buffer, size_t size, off_t offset) noexcept {
    const auto original = [&] { return libc.pwrite(fd, buffer, size, offset); };
    return call(
        tendril_shim_index_pwrite,
        [&](hub_core& hub, io::options&) {
            hub.charge();
            return negative(original());
        },
        original);
}

ssize_t preadv(int fd, const struct iovec* parts, int count, off_t offset) noexcept {
    const auto original = [&] { return libc.preadv(fd, parts, count, offset); };
    return call(
        tendril_shim_index_preadv,
        [&](hub_core& hub, io::options&) {
            hub.charge();
            return negative(original());
        },
        original);
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) noexcept {
    const auto original = [&] { return libc.pwritev(fd, parts, count, offset); };
    return call(
        tendril_shim_index_pwritev,
        [&](hub_core& hub, io::options&) {
            hub.charge();
            return negative(original());
        },
        original);
}

ssize_t preadv2(int fd, const struct iovec* parts, int count, off_t offset, int flags) noexcept {
    return call(
        tendril_shim_index_preadv2,
        [&](hub_core&, io::options& o) { return io::preadv2(fd, parts, count, offset, flags, o); },
        [&] { return libc.preadv2(fd, parts, count, offset, flags); });
}

ssize_t pwritev2(int fd, const struct iovec* parts, int count, off_t offset, int flags) noexcept {
    return call(
        tendril_shim_index_pwritev2,
        [&](hub_core&, io::options& o) { return io::pwritev2(fd, parts, count, offset, flags, o); },
        [&] { return libc.pwritev2(fd, parts, count, offset, flags); });
}

} // namespace tendril::detail::shim::ops
