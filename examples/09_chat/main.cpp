// SPDX-License-Identifier: BSL-1.0
//
// A chat: what one says, all others hear. Each member has two fibers (room.cpp): one reads what it
// says and puts that into everybody's queue; the other writes its queue to its connection, so a
// member that reads slowly holds up nobody else. Members come and go without a lock, because fibers
// of one thread switch only where they wait. Try: give it an address to serve at, and talk by nc.
// Run: build/dev/bin/09_chat [HOST:PORT]

#include "room.hpp"

#include <tendril/tendril.hpp>

#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace net = tendril::net;

void hear(const char* who, net::tcp_stream& connection) {
    std::printf("%s hears: %s", who, connection.read_until("\n").c_str());
}

void talk(const net::endpoint& room) {
    auto anna = net::tcp_stream::connect(room);
    auto ben = net::tcp_stream::connect(room);
    anna.write_all("Anna\n");
    hear("anna", anna);
    ben.write_all("Ben\n");
    hear("ben", ben);
    hear("anna", anna);
    anna.write_all("hello\nhow are you?\n");
    hear("ben", ben);
    hear("ben", ben);
    ben.close();
    hear("anna", anna);
}

int main(int argc, char** argv) try {
    if (argc > 2) {
        throw std::invalid_argument("too many arguments");
    }
    auto listener = net::tcp_listener::listen(argc > 1 ? argv[1] : "127.0.0.1:0");
    if (argc > 1) {
        std::printf("serving at %s\n", listener.local().text().c_str());
        std::fflush(stdout);
        serve_chat(listener);
        return 0;
    }
    tendril::spawn(serve_chat, std::ref(listener));
    talk(listener.local());
    listener.close();
    tendril::hub::current().drain(); // until the last one has left
} catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "09_chat: %s\nusage: 09_chat [HOST:PORT]\n", e.what());
    return 2;
} catch (const std::system_error& e) {
    std::fprintf(stderr, "09_chat: %s\n", e.what());
    return 1;
}
