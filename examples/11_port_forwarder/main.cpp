// SPDX-License-Identifier: BSL-1.0
//
// Forwards a port to another one, with two fibers for each connection, one per direction. Each
// copies until its sender ends the stream, and passes that end on (a half-close), so answers can
// come after the last question. Without arguments it forwards to a server of its own, which counts
// the bytes that it gets. Try: forward to a web server, and ask it by curl.
// Run: build/dev/bin/11_port_forwarder [FROM-HOST:PORT TO-HOST:PORT]

#include <tendril/tendril.hpp>

#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace net = tendril::net;
using namespace std::chrono_literals;

void copy(net::tcp_stream& from, net::tcp_stream& to) try {
    char buffer[16384];
    while (const std::size_t n = from.read_some(buffer, sizeof buffer)) {
        to.write_all({buffer, n});
    }
    to.shutdown(net::direction::send);
} catch (const std::system_error&) { // broken: then end the other direction, which waits, as well
    from.close();
    to.close();
}

void forward(net::tcp_stream client, const net::endpoint& to) try {
    auto server = net::tcp_stream::connect(to, 10s);
    auto questions = tendril::spawn(copy, std::ref(client), std::ref(server));
    copy(server, client);
    questions.join();
} catch (const std::system_error& e) {
    std::fprintf(stderr, "11_port_forwarder: %s\n", e.what());
}

void accept_all(net::tcp_listener& listener, const net::endpoint& to) {
    for (;;) {
        tendril::spawn(forward, listener.accept(), to);
    }
}

void count_bytes(net::tcp_listener& listener) {
    auto client = listener.accept();
    char buffer[4096];
    std::size_t sum = 0;
    while (const std::size_t n = client.read_some(buffer, sizeof buffer)) {
        sum += n;
    }
    client.write_all("I got " + std::to_string(sum) + " bytes\n");
}

void try_it() {
    auto target = net::tcp_listener::listen("127.0.0.1:0");
    auto server = tendril::spawn(count_bytes, std::ref(target));
    auto listener = net::tcp_listener::listen("127.0.0.1:0");
    auto forwarder = tendril::spawn(accept_all, std::ref(listener), target.local());

    auto client = net::tcp_stream::connect(listener.local());
    client.write_all(std::string(1'000'000, '.'));
    client.shutdown(net::direction::send);
    std::printf("client: sent 1000000 bytes to the forwarder, and the end of the stream\n");
    std::printf("server: %s", client.read_until("\n").c_str());
}

int main(int argc, char** argv) try {
    if (argc != 1 && argc != 3) {
        throw std::invalid_argument("from where to where?");
    }
    if (argc == 3) {
        const net::endpoint to(argv[2]);
        auto listener = net::tcp_listener::listen(argv[1]);
        std::printf("serving at %s\n", listener.local().text().c_str());
        std::fflush(stdout);
        accept_all(listener, to);
    }
    try_it();
} catch (const std::invalid_argument& e) {
    std::fprintf(stderr,
                 "11_port_forwarder: %s\nusage: 11_port_forwarder [FROM-HOST:PORT TO-HOST:PORT]\n",
                 e.what());
    return 2;
} catch (const std::system_error& e) {
    std::fprintf(stderr, "11_port_forwarder: %s\n", e.what());
    return 1;
}
