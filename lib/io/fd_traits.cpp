// SPDX-License-Identifier: BSL-1.0
#include "io/fd_traits.hpp"

#include "io/operations.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <netinet/in.h>

namespace tendril::detail::io {

namespace {

constinit std::atomic<std::uint32_t> description_epoch{1};

int socket_option(int fd, int option) noexcept {
    int value = -1;
    socklen_t size = sizeof value;
    return sys::real.getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

fd_kind ask_kind(int fd) noexcept {
    const int type = socket_option(fd, SO_TYPE);
    if (type < 0) {
        return errno == ENOTSOCK ? fd_kind::not_a_socket : fd_kind::unknown;
    }
    if (type != SOCK_STREAM) {
        return fd_kind::message;
    }
    const int domain = socket_option(fd, SO_DOMAIN);
    const bool tcp =
        (domain == AF_INET || domain == AF_INET6) && socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP;
    return tcp ? fd_kind::tcp : fd_kind::stream;
}

std::uint8_t ask_traits(int fd, const fd_entry& e) noexcept {
    std::uint8_t found = e.traits.load(std::memory_order_relaxed) & trait::hidden;
    if (found != 0) {
        found = e.traits.load(std::memory_order_relaxed) & (trait::hidden | trait::nonblock);
    } else if (const int flags = sys::real.fcntl(fd, F_GETFL); flags >= 0 && (flags & O_NONBLOCK)) {
        found |= trait::nonblock;
    }
    if (is_socket(kind_of(fd))) {
        if (socket_timeout(fd, SO_RCVTIMEO).count() != 0) {
            found |= trait::receive_timeout;
        }
        if (socket_timeout(fd, SO_SNDTIMEO).count() != 0) {
            found |= trait::send_timeout;
        }
    }
    return found;
}

void set_trait(fd_entry& e, std::uint8_t bit, bool on) noexcept {
    if (on) {
        e.traits.fetch_or(bit, std::memory_order_relaxed);
    } else {
        e.traits.fetch_and(static_cast<std::uint8_t>(~bit), std::memory_order_relaxed);
    }
}

bool hidden(const fd_entry* e) noexcept {
    return e != nullptr && (e->traits.load(std::memory_order_relaxed) & trait::hidden) != 0;
}

} // namespace

fd_kind kind_of(int fd) noexcept {
    if (const fd_entry* e = fd_table::find(fd)) {
        if (const fd_kind known = e->kind.load(std::memory_order_relaxed);
            known != fd_kind::unknown) {
            return known;
        }
    }
    const fd_kind kind = ask_kind(fd);
    if (kind != fd_kind::unknown) {
        remember_kind(fd, kind);
    }
    return kind;
}

void remember_kind(int fd, fd_kind kind) noexcept {
    if (fd_entry* e = fd_table::at(fd)) {
        e->kind.store(kind, std::memory_order_relaxed);
    }
}

std::uint8_t traits_of(int fd) noexcept {
    fd_entry* const e = fd_table::at(fd);
    if (e == nullptr) {
        return 0;
    }
    const std::uint32_t epoch = description_epoch.load(std::memory_order_acquire);
    if (e->traits_epoch.load(std::memory_order_relaxed) == epoch && is_socket(kind_of(fd))) {
        return e->traits.load(std::memory_order_relaxed);
    }
    const std::uint8_t found = ask_traits(fd, *e);
    e->traits.store(found, std::memory_order_relaxed);
    e->traits_epoch.store(epoch, std::memory_order_relaxed);
    return found;
}

std::chrono::microseconds socket_timeout(int fd, int option) noexcept {
    timeval value{};
    socklen_t size = sizeof value;
    if (sys::real.getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) {
        return {};
    }
    return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
}

void descriptions_changed() noexcept {
    description_epoch.fetch_add(1, std::memory_order_acq_rel);
}

void hide_nonblock(int fd) noexcept {
    if (fd_entry* e = fd_table::at(fd)) {
        e->traits.store(trait::hidden, std::memory_order_relaxed);
        e->traits_epoch.store(0, std::memory_order_relaxed);
    }
}

int get_flags(int fd) noexcept {
    const int flags = sys::real.fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -errno;
    }
    const fd_entry* e = fd_table::find(fd);
    if (hidden(e) && (e->traits.load(std::memory_order_relaxed) & trait::nonblock) == 0) {
        return flags & ~O_NONBLOCK;
    }
    return flags;
}

int set_flags(int fd, int flags) noexcept {
    fd_entry* const e = fd_table::find(fd);
    const bool is_hidden = hidden(e);
    const int before = sys::real.fcntl(fd, F_GETFL);
    if (sys::real.fcntl(fd, F_SETFL, is_hidden ? flags | O_NONBLOCK : flags) < 0) {
        return -errno;
    }
    if (is_hidden) {
        set_trait(*e, trait::nonblock, (flags & O_NONBLOCK) != 0);
    } else if (before < 0 || ((before ^ flags) & O_NONBLOCK) != 0) {
        descriptions_changed();
    }
    return 0;
}

int set_nonblock(int fd, bool on) noexcept {
    const int flags = get_flags(fd);
    if (flags < 0) {
        return flags;
    }
    if (on == ((flags & O_NONBLOCK) != 0)) {
        return 0;
    }
    fd_entry* const e = fd_table::find(fd);
    if (hidden(e)) {
        set_trait(*e, trait::nonblock, on);
        return 0;
    }
    int value = on ? 1 : 0;
    if (sys::real.ioctl(fd, FIONBIO, &value) < 0) {
        return -errno;
    }
    descriptions_changed();
    return 0;
}

} // namespace tendril::detail::io
