// SPDX-License-Identifier: BSL-1.0
//
// A thousand names, each looked up in a fiber of its own, from a name server that takes 100 ms for
// an answer: they all wait at once, where getaddrinfo would block the thread for 100 s. The server
// is part of this program: a UDP socket, and a fiber for each question (RFC 1035, section 4). Try:
// look them up in main, one after the other. Run: build/dev/bin/07_thousand_names [NAMES]

#include <tendril/tendril.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
namespace dns = tendril::dns;
namespace net = tendril::net;

int questions = 0; // without an answer yet
int most_questions = 0;

/// Answers that nHOST.… has the address 10.0.0.0 + HOST.
void answer(net::udp_socket& socket, std::string message, const dns::address& asker) {
    most_questions = std::max(most_questions, ++questions);
    tendril::this_fiber::sleep_for(100ms);      // as if it were far away
    const int host = std::atoi(&message[14]);   // behind the header, the label's length, and 'n'
    message.resize(message.find('\0', 12) + 5); // the name, its type and class; no EDNS
    message.replace(2, 2, "\x85\x80");          // an authoritative answer without error
    message.replace(6, 6, std::string("\0\1\0\0\0\0", 6));        // one record:
    message += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4", 12); // that name, A, IN, 60 s, 4 bytes
    message += {'\x0a', static_cast<char>(host >> 16), static_cast<char>(host >> 8),
                static_cast<char>(host)};
    socket.send_to(message, asker);
    --questions;
}

void serve(net::udp_socket& socket) {
    char message[512];
    for (;;) {
        const auto received = socket.receive_from(message, sizeof message);
        tendril::spawn(answer, std::ref(socket), std::string(message, received.size),
                       received.from);
    }
}

int main(int argc, char** argv) {
    char* end = nullptr;
    const long count = argc > 1 ? std::strtol(argv[1], &end, 10) : 1000;
    if (argc > 2 || (end != nullptr && *end != '\0') || count < 1 || count > 100'000) {
        std::fprintf(stderr, "usage: 07_thousand_names [NAMES, from 1 to 100000]\n");
        return 2;
    }
    auto socket = net::udp_socket::bind("127.0.0.1:0");
    socket.set(net::option::receive_buffer, 4 << 20);
    setenv("TENDRIL_NAMESERVERS", socket.local().text().c_str(), 1);
    auto server = tendril::spawn(serve, std::ref(socket));

    const auto start = clock_type::now();
    std::vector<tendril::fiber<std::string>> lookups;
    for (long host = 1; host <= count; ++host) {
        lookups.push_back(tendril::spawn([host] {
            dns::options ipv4;
            ipv4.family = dns::family::ipv4;
            ipv4.configured = false; // also where there is no network but loopback
            std::string name = "n";
            name += std::to_string(host) + ".tendril.test";
            return name + " is " + dns::resolve(name, "", ipv4).addresses.front().host();
        }));
    }
    std::string last;
    for (auto& each : lookups) {
        last = each.get();
    }
    const std::chrono::duration<double> taken = clock_type::now() - start;
    std::printf("%ld names in %.2f s, one after the other would take %.1f s\n", count,
                taken.count(), static_cast<double>(count) / 10);
    std::printf("the last one: %s\n", last.c_str());
    std::printf("the server had up to %d questions at once\n", most_questions);
}
