// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

/// The clients of the soak: processes of their own that know nothing of Tendril, and behave as
/// peers do.
namespace tendril_test {

class peer {
public:
    explicit peer(std::uint16_t port, unsigned seed)
        : port_(port)
        , random_(seed) {}

    /// Until the process is killed. Ends with status 1 if an answer is not what was sent.
    [[noreturn]] void misbehave() {
        for (;;) {
            const int fd = connect();
            if (fd < 0) {
                ::usleep(1000); // refused, or no port is free
                continue;
            }
            switch (draw(6)) {
            case 0: // leaves at once
                reset(fd);
                break;
            case 1: // leaves in the middle
                echo(fd, 1);
                send_some(fd, 64 << 10);
                reset(fd);
                break;
            case 2: // sends and never reads
                send_some(fd, 4 << 20);
                ::usleep(draw(30) * 1000);
                draw(2) == 0 ? reset(fd) : static_cast<void>(::close(fd));
                break;
            case 3: // half-closes
                half_close(fd);
                break;
            default:
                echo(fd, 1 + draw(20));
                ::close(fd);
            }
        }
    }

private:
    unsigned draw(unsigned below) { return static_cast<unsigned>(random_() % below); }

    int connect() {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        // From anywhere in 127/8, for the ports of one address last for 28,000 connections a
        // minute.
        sockaddr_in from{};
        from.sin_family = AF_INET;
        from.sin_addr.s_addr = htonl((127U << 24) + 2 + draw(1 << 20));
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port_);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0 ||
            ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
            ::close(fd);
            return -1;
        }
        return fd;
    }

    static void reset(int fd) {
        const linger at_once{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(fd);
    }

    static void send_some(int fd, std::size_t size) {
        static std::array<char, 65536> bytes{};
        while (size > 0) {
            const ssize_t n =
                ::send(fd, bytes.data(), std::min(size, bytes.size()), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n <= 0) {
                return;
            }
            size -= static_cast<std::size_t>(n);
        }
    }

    std::vector<unsigned char> message() {
        std::vector<unsigned char> bytes(1 + draw(4096));
        for (auto& b : bytes) {
            b = static_cast<unsigned char>(random_());
        }
        return bytes;
    }

    /// False: the server gave up on us, which it may after we were stopped.
    static bool receive(int fd, const std::vector<unsigned char>& wanted) {
        std::vector<unsigned char> got(wanted.size());
        const ssize_t n = ::recv(fd, got.data(), got.size(), MSG_WAITALL);
        if (n <= 0) {
            return false;
        }
        if (std::memcmp(got.data(), wanted.data(), static_cast<std::size_t>(n)) != 0) {
            ::_exit(1);
        }
        return static_cast<std::size_t>(n) == wanted.size();
    }

    void echo(int fd, unsigned times) {
        bool alive = true;
        for (unsigned i = 0; alive && i < times; ++i) {
            const auto bytes = message();
            alive = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                        static_cast<ssize_t>(bytes.size()) &&
                    receive(fd, bytes);
        }
    }

    void half_close(int fd) {
        const auto bytes = message();
        ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ::shutdown(fd, SHUT_WR);
        char more = 0;
        if (receive(fd, bytes) && ::recv(fd, &more, 1, 0) > 0) {
            ::_exit(1);
        }
        ::close(fd);
    }

    std::uint16_t port_;
    std::minstd_rand random_;
};

} // namespace tendril_test
