// SPDX-License-Identifier: BSL-1.0
//
// Values from tasks as they complete: three mirrors are asked at once. as_completed() gives them in
// the order of their answers, wait_any() the first alone, wait_n() the first two, gather() all
// values in one tuple. What is waited for may be fibers, futures and events, all in one call. And a
// context_value says for whom it is all done, without being handed from function to function. Try:
// an event that nobody sets in wait_any(). Run: build/dev/bin/18_as_they_come

#include <tendril/tendril.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using tendril::this_fiber::sleep_for;

tendril::context_value<std::string> user("nobody");

std::string ask(const char* mirror, std::chrono::milliseconds takes) {
    sleep_for(takes);
    return std::string(mirror) + ", asked for " + *user;
}

std::vector<tendril::fiber<std::string>> ask_all() {
    std::vector<tendril::fiber<std::string>> asked;
    asked.push_back(tendril::spawn(ask, "slow", 150ms));
    asked.push_back(tendril::spawn(ask, "quick", 30ms));
    asked.push_back(tendril::spawn(ask, "medium", 90ms));
    return asked;
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 18_as_they_come\n");
        return 2;
    }
    {
        const auto for_whom = user.set("Anna"); // here, and in all that is spawned here
        for (auto& answer : tendril::as_completed(ask_all())) {
            std::printf("%s\n", answer.get().c_str());
        }
    }
    auto asked = ask_all();
    const std::size_t first = tendril::wait_any(asked);
    std::printf("the first one: %s\n", asked[first].get().c_str());
    std::printf("two are enough:");
    for (const std::size_t i : tendril::wait_n(2, asked)) {
        std::printf(" %zu", i);
    }
    std::printf("\n");

    tendril::event bell;
    tendril::promise<int> price;
    auto known = price.get_future();
    auto rings = tendril::spawn([&] {
        sleep_for(30ms);
        bell.set();
        price.set_value(7);
    });
    static const char* const things[] = {"the slow mirror", "the bell", "the price"};
    std::printf("of three kinds of things first: %s\n",
                things[tendril::wait_any(asked[0], bell, known)]);

    auto [number, text] = tendril::gather(known, tendril::spawn(ask, "another", 1ms));
    std::printf("gathered: %d and \"%s\"\n", number, text.c_str());
    tendril::join_all(asked, rings);
}
