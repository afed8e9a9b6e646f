// SPDX-License-Identifier: BSL-1.0
//
// An echo server with a fiber for each connection, and three clients, on one thread: code that
// reads as if it blocked. What fails throws, with the real errno and what was being done. Try: give
// it an address to serve at, and talk to it by nc. Run: build/dev/bin/08_echo [HOST:PORT]

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
namespace net = tendril::net;

void serve(net::tcp_stream client) {
    char buffer[1024];
    while (const std::size_t n = client.read_some(buffer, sizeof buffer)) {
        client.write_all({buffer, n});
    }
}

void accept_all(net::tcp_listener& listener) {
    try {
        for (;;) {
            tendril::spawn(serve, listener.accept());
        }
    } catch (const std::system_error& e) {
        std::printf("the server ends: %s\n", e.code().message().c_str());
    }
}

std::string ask(const net::endpoint& server, const std::string& line) {
    auto stream = net::tcp_stream::connect(server, 5s);
    stream.write_all(line + "\n");
    return stream.read_until("\n", 1024, 5s);
}

void ask_some(net::tcp_listener& listener) {
    const net::endpoint here = listener.local();
    auto server = tendril::spawn(accept_all, std::ref(listener));
    std::vector<tendril::fiber<std::string>> clients;
    for (const char* line : {"one", "two", "three"}) {
        clients.push_back(tendril::spawn(ask, here, line));
    }
    for (auto& each : clients) {
        std::printf("the server said: %s", each.get().c_str());
    }

    listener.close(); // ends the accept() that waits
    server.join();
    try {
        ask(here, "still there?");
    } catch (const std::system_error& e) {
        std::printf("a client after that: %s\n", e.code().message().c_str());
    }
}

int main(int argc, char** argv) {
    try {
        if (argc > 2) {
            throw std::invalid_argument("too many arguments");
        }
        auto listener = net::tcp_listener::listen(argc > 1 ? argv[1] : "127.0.0.1:0");
        if (argc == 1) {
            ask_some(listener);
            return 0;
        }
        std::printf("serving at %s\n", listener.local().text().c_str());
        std::fflush(stdout);
        accept_all(listener);
    } catch (const std::invalid_argument& e) {
        std::fprintf(stderr, "08_echo: %s\nusage: 08_echo [HOST:PORT]\n", e.what());
        return 2;
    } catch (const std::system_error& e) {
        std::fprintf(stderr, "08_echo: %s\n", e.what());
        return 1;
    }
}
