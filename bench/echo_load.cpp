// SPDX-License-Identifier: BSL-1.0
// The load of `echo`: many connections, one 64-byte message under way on each. For every line
// `run MILLISECONDS` on stdin it plays for that long, waits for the last replies, and prints what
// it saw and the CPU time that the server's process used from the first message to the last reply.

#include "bench/support/echo.hpp"
#include "bench/support/measure.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/time.h>

namespace {

struct connection {
    int fd = -1;
    std::uint32_t received = 0; ///< bytes of the present reply
    std::int64_t sent_at = 0;
    std::array<char, bench::echo_message> message{};
    std::array<char, bench::echo_message> reply{};
};

class load {
public:
    load(int port, int connections, clockid_t server_clock)
        : connections_(static_cast<std::size_t>(connections))
        , server_clock_(server_clock) {
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        for (connection& c : connections_) {
            open(c, port);
        }
    }

    void run(std::int64_t milliseconds) {
        latencies_.clear();
        const std::int64_t cpu = bench::clock_ns(server_clock_);
        const std::int64_t begin = bench::now_ns();
        end_ = begin + milliseconds * 1'000'000;
        for (connection& c : connections_) {
            send(c, bench::now_ns());
        }
        std::array<epoll_event, 1024> events;
        while (under_way_ > 0) {
            const int n =
                ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 5000);
            if (n == 0) {
                errno = ETIMEDOUT;
                bench::fail("no reply");
            }
            for (int i = 0; i < n; ++i) {
                receive(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
            }
        }
        const auto seconds = static_cast<double>(bench::now_ns() - begin) / 1e9;
        const auto used = static_cast<double>(bench::clock_ns(server_clock_) - cpu);
        const auto requests = static_cast<double>(latencies_.size());
        bench::report("requests", requests, "requests");
        bench::report("cpu", used / 1e3 / requests, "us");
        bench::report("rate", requests / seconds, "1/s");
        bench::report("p50", percentile(0.50), "us");
        bench::report("p99", percentile(0.99), "us");
        bench::report("end", 0, "-");
    }

private:
    void open(connection& c, int port) {
        c.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        // Reset at close, so that thousands of connections leave no TIME_WAIT behind.
        const linger reset{1, 0};
        ::setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        const timeval patience{5, 0}; // counts for connect, too: socket(7)
        ::setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (::connect(c.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            bench::fail("connect to the server");
        }
        epoll_event interest{};
        interest.events = EPOLLIN | EPOLLET;
        interest.data.ptr = &c;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &interest);
    }

    void send(connection& c, std::int64_t now) {
        c.sent_at = now;
        c.received = 0;
        ++sequence_;
        std::memcpy(c.message.data(), &sequence_, sizeof sequence_);
        if (::send(c.fd, c.message.data(), c.message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
            static_cast<ssize_t>(c.message.size())) {
            bench::fail("send");
        }
        ++under_way_;
    }

    void receive(connection& c) {
        const ssize_t n =
            ::recv(c.fd, c.reply.data() + c.received, c.reply.size() - c.received, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            bench::fail("the server closed a connection");
        }
        c.received += static_cast<std::uint32_t>(n);
        if (c.received < c.reply.size()) {
            return receive(c);
        }
        if (c.reply != c.message) {
            errno = EBADMSG;
            bench::fail("reply");
        }
        const std::int64_t now = bench::now_ns();
        latencies_.push_back(now - c.sent_at);
        --under_way_;
        if (now < end_) {
            send(c, now);
        }
    }

    double percentile(double part) {
        const auto place =
            static_cast<std::ptrdiff_t>(part * static_cast<double>(latencies_.size() - 1));
        const auto at = latencies_.begin() + place;
        std::nth_element(latencies_.begin(), at, latencies_.end());
        return static_cast<double>(*at) / 1e3;
    }

    std::vector<connection> connections_;
    clockid_t server_clock_;
    int epoll_ = -1;
    std::int64_t end_ = 0;
    std::uint64_t sequence_ = 0;
    std::size_t under_way_ = 0;
    std::vector<std::int64_t> latencies_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        bench::usage(argv[0], "PORT CONNECTIONS SERVER-PROCESS");
    }
    bench::raise_descriptor_limit();
    clockid_t server_clock{};
    if (::clock_getcpuclockid(std::atoi(argv[3]), &server_clock) != 0) {
        bench::fail("CPU clock of the server");
    }
    load l(std::atoi(argv[1]), std::atoi(argv[2]), server_clock);
    bench::report("connected", std::atof(argv[2]), "connections");
    long long milliseconds = 0;
    while (std::scanf(" run %lld", &milliseconds) == 1) {
        l.run(milliseconds);
    }
    ::_exit(0); // the kernel closes thousands of sockets quickest
}
