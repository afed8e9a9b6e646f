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

namespace {

/// What is read or written of an eventfd is its number, or nothing.
int all_of_it(ssize_t n) noexcept {
    return n == sizeof(std::uint64_t) ? 0 : n < 0 ? static_cast<int>(n) : -EINVAL;
}

} // namespace

int eventfd_read(int fd, std::uint64_t* value) noexcept {
    return call(
        tendril_shim_index_eventfd_read,
        [&](hub_core&, io::options& o) { return all_of_it(io::read(fd, value, sizeof *value, o)); },
        [&] { return libc.eventfd_read(fd, value); });
}

int eventfd_write(int fd, std::uint64_t value) noexcept {
    return call(
        tendril_shim_index_eventfd_write,
        [&](hub_core&, io::options& o) {
            return all_of_it(io::write(fd, &value, sizeof value, o));
        },
        [&] { return libc.eventfd_write(fd, value); });
}

namespace {

/// pread and its kin take no -1 for the current position.
template <typename Transfer>
ssize_t at_offset(off_t offset, Transfer transfer) noexcept {
    return offset < 0 ? -EINVAL : transfer();
}

} // namespace

ssize_t pread(int fd, void* buffer, size_t size, off_t offset) noexcept {
    const iovec part = {buffer, size};
    return call(
        tendril_shim_index_pread,
        [&](hub_core&, io::options& o) {
            return at_offset(offset, [&] { return io::preadv2(fd, &part, 1, offset, 0, o); });
        },
        [&] { return libc.pread(fd, buffer, size, offset); });
}

ssize_t pwrite(int fd, const void* buffer, size_t size, off_t offset) noexcept {
    const iovec part = {const_cast<void*>(buffer), size};
    return call(
        tendril_shim_index_pwrite,
        [&](hub_core&, io::options& o) {
            return at_offset(offset, [&] { return io::pwritev2(fd, &part, 1, offset, 0, o); });
        },
        [&] { return libc.pwrite(fd, buffer, size, offset); });
}

ssize_t preadv(int fd, const struct iovec* parts, int count, off_t offset) noexcept {
    return call(
        tendril_shim_index_preadv,
        [&](hub_core&, io::options& o) {
            return at_offset(offset, [&] { return io::preadv2(fd, parts, count, offset, 0, o); });
        },
        [&] { return libc.preadv(fd, parts, count, offset); });
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) noexcept {
    return call(
        tendril_shim_index_pwritev,
        [&](hub_core&, io::options& o) {
            return at_offset(offset, [&] { return io::pwritev2(fd, parts, count, offset, 0, o); });
        },
        [&] { return libc.pwritev(fd, parts, count, offset); });
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
