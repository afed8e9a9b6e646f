// SPDX-License-Identifier: BSL-1.0
// A user's program with fibers of both libraries.
#include <tendril/boost_fiber.hpp>
#include <tendril/fiber.hpp>

#include <boost/fiber/all.hpp>

#include <chrono>
#include <cstdio>

int main() {
    boost::fibers::use_scheduling_algorithm<tendril::boost_fiber::hub_algorithm>();
    boost::fibers::buffered_channel<int> answers(2);
    auto ours = tendril::spawn([&] { answers.try_push(4); });
    boost::fibers::fiber theirs([&] {
        tendril::this_fiber::sleep_for(std::chrono::milliseconds(1));
        answers.push(2);
    });
    const int tens = answers.value_pop(), ones = answers.value_pop();
    std::printf("%d\n", 10 * tens + ones);
    theirs.join();
    ours.join();
}
