// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <gtest/gtest.h>

#include <tendril/net.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace tendril_test {

/// A plain socket at an address, made without Tendril: bound only, so that its port refuses
/// connections and stays ours, or listening.
class plain_socket {
public:
    explicit plain_socket(const char* host, std::uint16_t port = 0) {
        at_.sin_family = AF_INET;
        at_.sin_port = htons(port);
        inet_pton(AF_INET, host, &at_.sin_addr);
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof at_;
        if (::bind(fd_, address(), size) != 0 || ::getsockname(fd_, address(), &size) != 0) {
            throw std::system_error(errno, std::system_category(), "plain_socket");
        }
    }
    ~plain_socket() {
        ::close(fd_);
        if (filler_ >= 0) {
            ::close(filler_);
        }
    }
    plain_socket(const plain_socket&) = delete;
    plain_socket& operator=(const plain_socket&) = delete;

    void listen(int backlog) { ASSERT_EQ(0, ::listen(fd_, backlog)); }

    /// Listens with a queue that is full already: whoever connects now gets no answer.
    void listen_full() {
        listen(0);
        filler_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(0, ::connect(filler_, address(), sizeof at_));
        pollfd queued{fd_, POLLIN, 0};
        ASSERT_EQ(1, ::poll(&queued, 1, -1));
    }

    int fd() const noexcept { return fd_; }
    std::uint16_t port() const noexcept { return ntohs(at_.sin_port); }
    std::string text() const {
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &at_.sin_addr, host, sizeof host);
        return std::string(host) + ':' + std::to_string(port());
    }

private:
    sockaddr* address() noexcept { return reinterpret_cast<sockaddr*>(&at_); }

    sockaddr_in at_{};
    int fd_ = -1;
    int filler_ = -1;
};

/// 127.0.0.1 and 127.0.0.2 with one port, which nobody else had at either.
struct two_hosts {
    two_hosts() {
        for (;;) {
            second.emplace("127.0.0.2");
            try {
                first.emplace("127.0.0.1", second->port());
                return;
            } catch (const std::system_error& e) {
                if (e.code().value() != EADDRINUSE) {
                    throw;
                }
            }
        }
    }

    std::optional<plain_socket> first;
    std::optional<plain_socket> second;
};

/// Two ends of one connection.
struct stream_pair {
    stream_pair() {
        auto listener = tendril::net::tcp_listener::listen("127.0.0.1:0");
        client = tendril::net::tcp_stream::connect(listener.local());
        server = listener.accept();
    }
    tendril::net::tcp_stream client, server;
};

/// What `call` throws.
template <typename Call>
std::system_error error_of(Call&& call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e;
    }
    ADD_FAILURE() << "nothing was thrown";
    return std::system_error(std::error_code());
}

template <typename Call>
tendril::net::transfer_error transfer_error_of(Call&& call) {
    try {
        call();
    } catch (const tendril::net::transfer_error& e) {
        return e;
    }
    ADD_FAILURE() << "no transfer_error was thrown";
    return {0, "", 0};
}

} // namespace tendril_test
