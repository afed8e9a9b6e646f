// SPDX-License-Identifier: BSL-1.0
#include "io/fd_traits.hpp"

#include "base/single_threaded.hpp"
#include "io/operations.hpp"
#include "io/socket_options.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/stat.h>

namespace tendril::detail::io {

namespace {

constinit std::atomic<std::uint32_t> description_epoch{1};
constinit std::atomic<std::uint32_t> sharing_epoch{0}; ///< what was made until then may be shared

int socket_option(int fd, int option) noexcept {
    int value = -1;
    socklen_t size = sizeof value;
    return sys::real.getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

fd_kind ask_kind(int fd) noexcept {
    const int type = socket_option(fd, SO_TYPE);
    if (type < 0) {
        if (errno != ENOTSOCK) {
            return fd_kind::unknown;
        }
        struct stat status {};
        if (sys::real.fstat(fd, &status) == 0 &&
            (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))) {
            return fd_kind::file;
        }
        return ::isatty(fd) != 0 ? fd_kind::terminal : fd_kind::not_a_socket;
    }
    if (type != SOCK_STREAM) {
        return fd_kind::message;
    }
    const int domain = socket_option(fd, SO_DOMAIN);
    const bool tcp =
        (domain == AF_INET || domain == AF_INET6) && socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP;
    return tcp ? fd_kind::tcp : fd_kind::stream;
}

/// A socket of this thread alone: it was made here after the last sharing, and there is no thread
/// that could change it unseen, for it has no hub.
bool is_private(const fd_entry& e) noexcept {
    return single_threaded() && e.made_epoch.load(std::memory_order_relaxed) >
                                    sharing_epoch.load(std::memory_order_relaxed);
}

std::uint8_t ask_flags(int fd, const fd_entry& e) noexcept {
    const std::uint8_t known = e.traits.load(std::memory_order_relaxed);
    if ((known & trait::hidden) != 0) {
        return known & (trait::hidden | trait::nonblock);
    }
    const int flags = sys::real.fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0 ? trait::nonblock : std::uint8_t{0};
}

std::uint8_t ask_limit(int fd, bool sends) noexcept {
    if (!is_socket(kind_of(fd))) {
        return 0;
    }
    const int option = sends ? SO_SNDTIMEO : SO_RCVTIMEO;
    if (socket_timeout(fd, option).count() != 0) {
        return sends ? trait::send_timeout : trait::receive_timeout;
    }
    if (!never_waits(fd, option)) {
        return 0;
    }
    return sends ? trait::send_never : trait::receive_never;
}

void set_trait(fd_entry& e, std::uint8_t bit, bool on) noexcept {
    if (on) {
        e.traits.fetch_or(bit, std::memory_order_relaxed);
    } else {
        e.traits.fetch_and(static_cast<std::uint8_t>(~bit), std::memory_order_relaxed);
    }
}

constinit std::atomic<bool> any_hidden{false};

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

std::uint8_t traits_of(int fd, bool sends) noexcept {
    fd_entry* const e = fd_table::at(fd);
    if (e == nullptr) {
        return 0;
    }
    const std::uint32_t epoch = description_epoch.load(std::memory_order_acquire);
    if (!is_private(*e)) {
        return ask_flags(fd, *e) | ask_limit(fd, sends);
    }
    if (e->traits_epoch.load(std::memory_order_relaxed) == epoch) {
        return e->traits.load(std::memory_order_relaxed);
    }
    const std::uint8_t found = ask_flags(fd, *e) | ask_limit(fd, false) | ask_limit(fd, true);
    e->traits.store(found, std::memory_order_relaxed);
    e->traits_epoch.store(epoch, std::memory_order_relaxed);
    return found;
}

void descriptions_changed() noexcept {
    description_epoch.fetch_add(1, std::memory_order_acq_rel);
}

void descriptions_shared() noexcept {
    sharing_epoch.store(description_epoch.fetch_add(1, std::memory_order_acq_rel),
                        std::memory_order_release);
    // What is hidden here would be seen there. Waits go on as before: none rests on the flag.
    if (any_hidden.exchange(false, std::memory_order_acq_rel)) {
        fd_table::for_each([](void*, int fd, fd_entry&) { uncover_nonblock(fd); }, nullptr);
    }
}

void made_here(int fd) noexcept {
    if (fd_entry* e = fd_table::at(fd)) {
        e->made_epoch.store(description_epoch.load(std::memory_order_acquire),
                            std::memory_order_relaxed);
    }
}

void hide_nonblock(int fd) noexcept {
    if (fd_entry* e = fd_table::at(fd)) {
        e->traits.store(trait::hidden, std::memory_order_relaxed);
        e->traits_epoch.store(0, std::memory_order_relaxed);
        any_hidden.store(true, std::memory_order_release);
    }
}

void uncover_nonblock(int fd) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (!hidden(e)) {
        return;
    }
    if ((e->traits.load(std::memory_order_relaxed) & trait::nonblock) == 0) {
        if (const int flags = sys::real.fcntl(fd, F_GETFL); flags >= 0) {
            sys::real.fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
        }
    }
    set_trait(*e, trait::hidden, false);
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
