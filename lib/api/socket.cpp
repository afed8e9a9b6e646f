// SPDX-License-Identifier: BSL-1.0
#include <tendril/socket.hpp>
#include <tendril/unique_fd.hpp>

#include "api/net_support.hpp"
#include "io/operations.hpp"

#include <cerrno>
#include <utility>

namespace tendril {
inline namespace v1 {
namespace net {

basic_socket::basic_socket(basic_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1))
    , timeout_(other.timeout_)
    , peer_(std::exchange(other.peer_, {})) {}

basic_socket& basic_socket::operator=(basic_socket&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = std::exchange(other.fd_, -1);
        timeout_ = other.timeout_;
        peer_ = std::exchange(other.peer_, {});
    }
    return *this;
}

void basic_socket::close() noexcept {
    if (fd_ >= 0) {
        detail::net::close(std::exchange(fd_, -1));
    }
}

int basic_socket::release() noexcept {
    peer_ = {};
    return std::exchange(fd_, -1);
}

deadline basic_socket::own_or(deadline limit) const {
    const bool given = limit.at() != detail::never;
    return given || timeout_ == std::chrono::nanoseconds::max() ? limit : deadline(timeout_);
}

dns::address basic_socket::local_address() const {
    const auto address = detail::net::local_address(fd_);
    if (address.size == 0) {
        fail(errno, "getsockname");
    }
    return to_public(address);
}

std::string basic_socket::doing(const char* what) const {
    std::string which = text_of(peer_);
    if (which.empty()) {
        which = text_of(to_public(detail::net::local_address(fd_)));
    }
    if (which.empty() && fd_ >= 0) {
        which = "fd " + std::to_string(fd_);
    }
    return which.empty() ? what : std::string(what) + ' ' + which;
}

void basic_socket::fail(int error, const char* what) const {
    net::fail(error, doing(what));
}

} // namespace net

void io::unique_fd::reset(int fd) noexcept {
    if (fd_ >= 0) {
        detail::net::close(fd_);
    }
    fd_ = fd;
}

} // namespace v1
} // namespace tendril
