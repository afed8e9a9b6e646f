// SPDX-License-Identifier: BSL-1.0
//
// Waiting for whichever comes first. A kitchen takes orders from two counters by select(): it
// receives from one channel or the other, or, if neither has anything for a while, sweeps the
// floor. A closed channel is always ready, with nothing in it; so a counter that has closed must
// be left out. on_default() asks without waiting, and a send can be a case, too. Try: a kitchen
// that never sweeps. Run: build/dev/bin/16_channels_and_select

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using tendril::this_fiber::sleep_for;
using orders = tendril::channel<std::string>;

void take_orders(orders& to, const char* first, const char* second,
                 std::chrono::milliseconds between) {
    to.send(first);
    sleep_for(between);
    to.send(second);
    to.close();
}

void cook(orders& counter, orders& window) {
    int open = 2;
    const auto serve = [&](const char* from, std::optional<std::string> order) {
        if (order) {
            std::printf("%s: %s\n", from, order->c_str());
        } else {
            std::printf("%s: closed\n", from);
            --open;
        }
    };
    while (open == 2) {
        tendril::select(
            tendril::on_receive(counter, [&](auto order) { serve("counter", std::move(order)); }),
            tendril::on_receive(window, [&](auto order) { serve("window", std::move(order)); }),
            tendril::on_timeout(100ms, [] { std::printf("nobody: sweep the floor\n"); }));
    }
    for (const std::string& order : counter) { // only one is left: no select needed
        std::printf("counter: %s\n", order.c_str());
    }
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 16_channels_and_select\n");
        return 2;
    }
    orders counter;
    orders window;
    tendril::task_group group;
    group.spawn(take_orders, std::ref(counter), "soup", "coffee", 300ms);
    group.spawn([&] {
        sleep_for(30ms); // after the soup
        take_orders(window, "pizza", "salad", 150ms);
    });
    group.spawn(cook, std::ref(counter), std::ref(window));
    group.wait();

    tendril::channel<int> one_place(1);
    for (int plate = 1; plate <= 2; ++plate) {
        tendril::select(
            tendril::on_send(one_place, int{plate}, [&] { std::printf("plate %d: put\n", plate); }),
            tendril::on_default([&] { std::printf("plate %d: no room, I keep it\n", plate); }));
    }
}
