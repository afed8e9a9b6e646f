// SPDX-License-Identifier: BSL-1.0
#pragma once

// Event loops of other libraries beside code that blocks, on one thread: each loop runs in a fiber
// and serves clients, fibers too, that use plain blocking calls. Without -DFIBERS all are threads,
// which is what it is compared with. Each side waits for the other all the time.

#ifdef FIBERS
#include <tendril/tendril.hpp>
#else
#include <thread>
#endif

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace loop {

constexpr int clients = 10, messages = 30; // of each loop, of each client

inline void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
        std::_Exit(1);
    }
}

/// Several functions at once.
class at_once {
public:
    void run(std::function<void()> function) {
#ifdef FIBERS
        all_.push_back(tendril::spawn(std::move(function)));
#else
        all_.emplace_back(std::move(function));
#endif
    }
    void join() {
        for (auto& each : all_) {
            each.join();
        }
    }

private:
#ifdef FIBERS
    std::vector<tendril::fiber<void>> all_;
#else
    std::vector<std::thread> all_;
#endif
};

inline int listening(int& port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    require(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(fd, 64) == 0,
            "listen");
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return fd;
}

/// Waits for each answer in another of the ways that there are.
inline void wait_readable(int fd, int way) {
    pollfd p{fd, POLLIN, 0};
    fd_set set;
    switch (way % 4) {
    case 0:
        require(poll(&p, 1, -1) == 1, "poll");
        break;
    case 1:
        FD_ZERO(&set);
        FD_SET(fd, &set);
        require(select(fd + 1, &set, nullptr, nullptr, nullptr) == 1, "select");
        break;
    case 2: {
        const int epfd = epoll_create1(0);
        epoll_event event{};
        event.events = EPOLLIN;
        require(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        require(epoll_wait(epfd, &event, 1, -1) == 1, "epoll_wait");
        close(epfd);
        break;
    }
    default:
        break; // by reading
    }
}

/// Asks, and gets it back; messages are small and large, and sometimes long in coming.
inline long talk(int port, int number) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<in_port_t>(port));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    require(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
    long bytes = 0;
    for (int i = 0; i < messages; ++i) {
        const std::size_t size = i % 10 == 9 ? 200'000 : static_cast<std::size_t>(1 + i * 100);
        const std::string sent(size, static_cast<char>('a' + (number + i) % 26));
        std::string got(size, '\0');
        if (i % 5 == 0) {
            usleep(1000);
        }
        // More than buffers hold goes out in parts, as the echo comes back.
        for (std::size_t out = 0, in = 0; in < size;) {
            if (out < size) {
                const ssize_t n =
                    write(fd, sent.data() + out, std::min<std::size_t>(size - out, 20'000));
                require(n > 0, "write");
                out += static_cast<std::size_t>(n);
            }
            wait_readable(fd, i);
            const ssize_t n = read(fd, &got[in], size - in);
            require(n > 0, "read");
            in += static_cast<std::size_t>(n);
        }
        require(got == sent, "another message came back");
        bytes += static_cast<long>(size);
    }
    close(fd);
    return bytes;
}

/// What a loop says of itself when all its clients have gone.
struct report {
    int connections = 0;
    long bytes = 0;
    bool timer = false;  ///< a timer of the loop's ran
    bool worker = false; ///< something came back from a thread of the loop's, if it has any
};

/// `serve` gets a listening socket, and returns when as many clients as it is told have come and
/// gone.
inline int run(int loops, const std::function<report(int fd, int clients)>& serve) {
    at_once all;
    std::vector<report> reports(static_cast<std::size_t>(loops));
    std::atomic<long> bytes{0};
    for (int i = 0; i < loops; ++i) {
        int port = 0;
        const int fd = listening(port);
        all.run([&serve, &reports, i, fd] {
            reports[static_cast<std::size_t>(i)] = serve(fd, clients);
        });
        for (int number = 0; number < clients; ++number) {
            all.run([&bytes, port, number] { bytes += talk(port, number); });
        }
    }
    all.join();
    for (const report& each : reports) {
        std::printf("%d connections, %ld bytes, timer %d, worker %d\n", each.connections,
                    each.bytes, each.timer, each.worker);
    }
    std::printf("%ld bytes echoed\n", bytes.load());
    return 0;
}

} // namespace loop
