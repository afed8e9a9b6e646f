// SPDX-License-Identifier: BSL-1.0
//
// Datagrams over UDP, then a Unix socket, over which a server hands out an open file. A datagram
// may get lost, so who asks gives a time limit and asks again; here the server ignores the first
// question to show it. A Unix socket knows who is at the other end, and carries descriptors: what
// the client gets is a copy, as by dup(2). Try: remove the loop around the question.
// Run: build/dev/bin/10_udp_and_unix

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <system_error>
#include <unistd.h>

namespace io = tendril::io;
namespace net = tendril::net;
using namespace std::chrono_literals;

void answer_the_second(net::udp_socket& socket) {
    char question[512];
    socket.receive_from(question, sizeof question); // as if it were lost
    const auto received = socket.receive_from(question, sizeof question);
    socket.send_to("you said " + std::string(question, received.size), received.from);
}

std::string ask(net::udp_socket& server, const std::string& question) {
    char answer[512];
    for (int attempt = 1;; ++attempt) {
        server.send(question);
        try {
            return {answer, server.receive(answer, sizeof answer, 500ms)};
        } catch (const std::system_error& e) {
            if (e.code() != std::errc::timed_out || attempt == 5) {
                throw;
            }
            std::printf("udp: no answer to attempt %d\n", attempt);
        }
    }
}

void hand_out(net::unix_listener& listener, int fd) {
    auto client = listener.accept();
    const bool is_this_process = client.peer_credentials().pid == getpid();
    client.send_fds(is_this_process ? "for you, myself" : "for you", {fd});
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 10_udp_and_unix\n");
        return 2;
    }
    auto socket = net::udp_socket::bind("127.0.0.1:0");
    auto responder = tendril::spawn(answer_the_second, std::ref(socket));
    auto server = net::udp_socket::connect(socket.local());
    std::printf("udp: %s\n", ask(server, "hello").c_str());

    int pipe[2];
    if (::pipe(pipe) != 0) {
        std::perror("pipe");
        return 1;
    }
    const io::unique_fd reads(pipe[0]), writes(pipe[1]);
    auto listener = net::unix_listener::listen(net::unix_address()); // a name that is free
    auto giver = tendril::spawn(hand_out, std::ref(listener), reads.get());
    auto client = net::unix_stream::connect(listener.local());
    char text[64];
    const net::received_fds gift = client.receive_fds(text, sizeof text, 1);
    std::printf("unix: \"%.*s\", and %zu descriptor\n", static_cast<int>(gift.size), text,
                gift.fds.size());
    io::write(writes.get(), "through the pipe", 16);
    const std::size_t size = io::read(gift.fds[0].get(), text, sizeof text);
    std::printf("unix: read from that: \"%.*s\"\n", static_cast<int>(size), text);
}
