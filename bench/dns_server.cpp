// SPDX-License-Identifier: BSL-1.0
// The server of `dns`: answers every question for an address, over UDP, a fixed time after it came.
// Prints its port and serves until it is killed.

#include "bench/support/measure.hpp"

#include <array>
#include <cerrno>
#include <deque>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace {

struct answer {
    std::int64_t due = 0;
    sockaddr_in to{};
    std::size_t size = 0;
    std::array<unsigned char, 512> bytes{};
};

/// RFC 1035, section 4.1: the header, the question, and one record that names the question.
bool make_answer(answer& a) {
    constexpr std::size_t header = 12;
    constexpr unsigned type_a = 1;
    constexpr unsigned type_aaaa = 28;
    std::size_t end = header;
    while (end < a.size && a.bytes[end] != 0) {
        end += a.bytes[end] + 1u;
    }
    end += 5; // the root label, type and class
    if (end > a.size || end + 28 > a.bytes.size()) {
        return false;
    }
    const unsigned type = a.bytes[end - 4] * 256u + a.bytes[end - 3];
    const std::size_t length = type == type_a ? 4 : type == type_aaaa ? 16 : 0;
    a.bytes[2] = 0x85; // an authoritative response; recursion was desired
    a.bytes[3] = 0x80; // and is available; no error
    const std::array<unsigned char, 8> counts{0, 1, 0, static_cast<unsigned char>(length != 0),
                                              0, 0, 0, 0};
    std::copy(counts.begin(), counts.end(), a.bytes.begin() + 4);
    if (length != 0) {
        const std::array<unsigned char, 12> record{
            0xc0, header, 0, static_cast<unsigned char>(type),  0, 1, 0, 0,
            0,    60,     0, static_cast<unsigned char>(length)};
        auto at = std::copy(record.begin(), record.end(),
                            a.bytes.begin() + static_cast<std::ptrdiff_t>(end));
        std::fill_n(at, length, static_cast<unsigned char>(0));
        at[0] = length == 4 ? 192 : 0xfd; // 192.0.0.1, fd00::1
        at[static_cast<std::ptrdiff_t>(length) - 1] = 1;
        end += record.size() + length;
    }
    a.size = end;
    return true;
}

int open_socket() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // All questions may come at once; the usual buffer holds some 270. FORCE needs a capability.
    const int bytes = 16 << 20;
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        bench::fail("bind to 127.0.0.1");
    }
    bench::report("port", ntohs(address.sin_port), "-");
    return fd;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        bench::usage(argv[0], "MILLISECONDS");
    }
    const std::int64_t delay = std::atoll(argv[1]) * 1'000'000;
    const int fd = open_socket();
    std::deque<answer> pending; // all wait equally long: in order
    while (true) {
        timespec wait{};
        if (!pending.empty()) {
            const std::int64_t left =
                std::max<std::int64_t>(pending.front().due - bench::now_ns(), 0);
            wait = {left / 1'000'000'000, left % 1'000'000'000};
        }
        pollfd readable{fd, POLLIN, 0};
        ::ppoll(&readable, 1, pending.empty() ? nullptr : &wait, nullptr);
        while (true) {
            answer a;
            socklen_t size = sizeof a.to;
            const ssize_t n = ::recvfrom(fd, a.bytes.data(), a.bytes.size(), 0,
                                         reinterpret_cast<sockaddr*>(&a.to), &size);
            if (n < 0) {
                break;
            }
            a.size = static_cast<std::size_t>(n);
            a.due = bench::now_ns() + delay;
            if (make_answer(a)) {
                pending.push_back(a);
            }
        }
        while (!pending.empty() && pending.front().due <= bench::now_ns()) {
            const answer& a = pending.front();
            ::sendto(fd, a.bytes.data(), a.size, 0, reinterpret_cast<const sockaddr*>(&a.to),
                     sizeof a.to);
            pending.pop_front();
        }
    }
}
