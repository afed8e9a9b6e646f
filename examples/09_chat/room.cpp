// SPDX-License-Identifier: BSL-1.0
#include "room.hpp"

#include <tendril/fiber.hpp>
#include <tendril/queue.hpp>

#include <exception>
#include <functional>
#include <string>
#include <system_error>
#include <unordered_set>

namespace net = tendril::net;

namespace {

struct member {
    net::tcp_stream connection;
    tendril::queue<std::string> to_hear;
};

std::unordered_set<member*> members;

void tell_others(const member& from, const std::string& line) {
    for (member* each : members) {
        if (each != &from) {
            each->to_hear.put(line);
        }
    }
}

void write_what_is_to_hear(member& to) try {
    for (const std::string& line : to.to_hear) { // until it is shut down
        to.connection.write_all(line);
    }
} catch (const std::system_error&) { // gone; who reads from it notices too
}

void attend(net::tcp_stream connection) {
    member self{std::move(connection), tendril::queue<std::string>()};
    auto writer = tendril::spawn(write_what_is_to_hear, std::ref(self));
    std::string name;
    try {
        name = self.connection.read_until("\n", 64);
        name.pop_back();
        self.to_hear.put("welcome, " + name + "\n");
        members.insert(&self);
        tell_others(self, name + " has come\n");
        for (;;) {
            tell_others(self, name + ": " + self.connection.read_until("\n", 1024));
        }
    } catch (const std::exception&) { // it hung up, or its line is too long
    }
    if (members.erase(&self) != 0) {
        tell_others(self, name + " has left\n");
    }
    self.to_hear.shutdown();
    self.connection.close(); // ends a write that waits
    writer.join();
}

} // namespace

void serve_chat(net::tcp_listener& listener) try {
    for (;;) {
        tendril::spawn(attend, listener.accept());
    }
} catch (const std::system_error& e) {
    if (e.code() != std::errc::bad_file_descriptor) { // not closed, but broken
        throw;
    }
}
