// SPDX-License-Identifier: BSL-1.0
// README.md begins with this program; a test holds the two together.
#include <tendril/tendril.hpp>

#include <cstdio>
#include <vector>

namespace net = tendril::net;

void serve(net::tcp_stream client) {
    const std::string name = client.read_until("\n");
    tendril::this_fiber::sleep_for(std::chrono::milliseconds(100)); // the other fibers run
    client.write_all("hello " + name);
}

int main() {
    auto listener = net::tcp_listener::listen("127.0.0.1:0");
    tendril::spawn([&] {
        for (;;) {
            tendril::spawn(serve, listener.accept());
        }
    });
    std::vector<tendril::fiber<std::string>> clients;
    for (int i = 1; i <= 100; ++i) {
        clients.push_back(tendril::spawn([&, i] {
            auto server = net::tcp_stream::connect(listener.local());
            server.write_all("client " + std::to_string(i) + "\n");
            return server.read_until("\n");
        }));
    }
    for (auto& client : clients) {
        std::printf("%s", client.get().c_str());
    }
}
