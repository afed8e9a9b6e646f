// SPDX-License-Identifier: BSL-1.0
//
// Tasks that return values. One fetches a line from a server, another counts meanwhile; get() waits
// for a task and returns what it returned, or throws what it threw. The server answers once the
// count has reached 3: elsewhere that is "after a while", here the output is always the same. Try:
// let the server end without an answer. Run: build/dev/bin/03_tasks_and_values

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
namespace net = tendril::net;

tendril::event counted_to_three;

void answer_one_client(net::tcp_listener& listener) {
    auto client = listener.accept();
    counted_to_three.wait();
    client.write_all("worth waiting for\n");
}

std::string fetch(const net::endpoint& from) {
    std::printf("fetch: I ask and wait\n");
    auto server = net::tcp_stream::connect(from, 5s);
    return server.read_until("\n");
}

int count() {
    int sum = 0;
    for (int i = 1; i <= 3; ++i) {
        std::printf("count: %d\n", i);
        sum += i;
        tendril::this_fiber::sleep_for(50ms);
    }
    counted_to_three.set();
    return sum;
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 03_tasks_and_values\n");
        return 2;
    }
    auto listener = net::tcp_listener::listen("127.0.0.1:0");
    const net::endpoint here = listener.local();
    auto server = tendril::spawn(answer_one_client, std::ref(listener));

    tendril::fiber<std::string> line = tendril::spawn(fetch, here);
    tendril::fiber<int> sum = tendril::spawn(count);
    std::printf("the fetch returned: %s", line.get().c_str());
    std::printf("the count returned: %d\n", sum.get());

    server.join();
    listener.close();
    auto too_late = tendril::spawn(fetch, here);
    try {
        too_late.get();
    } catch (const std::system_error& e) {
        std::printf("a second fetch threw: %s\n", e.code().message().c_str());
    }
}
