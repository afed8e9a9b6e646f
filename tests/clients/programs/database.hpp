// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the clients of databases do alike. Each has a class `Connection`, with ask(query).

#include "client.hpp"

#include <initializer_list>

namespace client {

constexpr int connections = 200;

/// Each fiber has its connection open before any begins to ask. Returns how long the asking took.
template <typename Connection, typename Function>
double at_once(in_progress& asking, Function function) {
    tendril::latch connected(connections);
    std::chrono::steady_clock::time_point start;
    in_fibers(connections, [&](int) {
        const Connection c;
        connected.arrive_and_wait();
        if (start == std::chrono::steady_clock::time_point()) {
            start = std::chrono::steady_clock::now();
        }
        asking([&] { function(c); });
    });
    return seconds_since(start);
}

/// 200 fibers ask for 0.1 s. On a machine too busy to send that many queries in that time they
/// could not overlap; a longer sleep, the next query, then shows whether they do.
template <typename Connection>
void sleep_at_once(std::initializer_list<const char*> queries) {
    for (const char* query : queries) {
        in_progress asking;
        const double seconds =
            at_once<Connection>(asking, [&](const Connection& c) { c.ask(query); });
        if (asking.most() == connections) {
            std::printf("%s: %d at once\n", query, asking.most());
            std::fprintf(stderr, "%s: %.3f s\n", query, seconds);
            return;
        }
    }
    throw std::runtime_error("not all at once");
}

} // namespace client
