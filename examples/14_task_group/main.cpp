// SPDX-License-Identifier: BSL-1.0
//
// Tasks that belong together. None outlives its group: wait() waits for all of them. If one fails,
// the others are cancelled, and wait() throws what the one failed with. start() returns when the
// task says that it is ready, here a server that has its port. with_task_group() makes the body
// one of the tasks: it, too, stops waiting when another fails. Try: let the second mirror answer.
// Run: build/dev/bin/14_task_group

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using tendril::this_fiber::sleep_for;
namespace net = tendril::net;

void copy_from(const char* mirror, std::chrono::milliseconds takes, bool answers) {
    struct leaving { // runs when the stack unwinds, too
        const char* mirror;
        ~leaving() { std::printf("  %s: out\n", mirror); }
    } const last{mirror};
    std::printf("  %s: begun\n", mirror);
    sleep_for(takes);
    if (!answers) {
        throw std::runtime_error(std::string(mirror) + " does not answer");
    }
    std::printf("  %s: done\n", mirror);
}

void all_or_nothing() {
    tendril::task_group group;
    group.spawn(copy_from, "near", 20ms, true);
    group.spawn(copy_from, "broken", 60ms, false);
    group.spawn(copy_from, "far", 10s, true); // nobody waits ten seconds for it
    try {
        group.wait();
    } catch (const std::runtime_error& e) {
        std::printf("the group failed: %s\n", e.what());
    }
}

void serve(const tendril::started<net::endpoint>& ready) {
    auto listener = net::tcp_listener::listen("127.0.0.1:0");
    ready(listener.local()); // start() returns now, and the task goes on
    for (;;) {
        listener.accept().write_all("hello\n");
    }
}

void start_and_use_a_server() {
    tendril::task_group group;
    const net::endpoint server = group.start<net::endpoint>(serve);
    std::printf("the server is ready\n");
    std::printf("it says %s", net::tcp_stream::connect(server, 5s).read_until("\n").c_str());
    group.cancel("closing time"); // no error, and nothing is left behind
    group.wait();
    std::printf("the server has ended, %zu tasks left\n", group.size());
}

void the_body_is_one_of_them() {
    try {
        tendril::with_task_group([](tendril::task_group& group) {
            group.spawn([] {
                sleep_for(20ms);
                throw std::runtime_error("the disk is full");
            });
            std::printf("the body waits for an hour\n");
            sleep_for(1h);
            std::printf("the body never comes here\n");
        });
    } catch (const std::runtime_error& e) {
        std::printf("but a task failed: %s\n", e.what());
    }
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 14_task_group\n");
        return 2;
    }
    all_or_nothing();
    start_and_use_a_server();
    the_body_is_one_of_them();
}
