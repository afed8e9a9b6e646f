// SPDX-License-Identifier: BSL-1.0
//
// A channel with room for two values, a producer, and two consumers. Who sends into a full channel
// waits, and who receives from an empty one too: that is all the coordination there is, no lock and
// no flag. close() says that nothing more will come, which ends the consumers' loops. Try: a
// capacity of 0, where each send waits until somebody has received.
// Run: build/dev/bin/04_producer_and_consumer

#include <tendril/tendril.hpp>

#include <cstdio>
#include <functional>

using tendril::this_fiber::yield;

void produce(tendril::channel<int>& to) {
    for (int i = 1; i <= 6; ++i) {
        if (!to.try_send(i)) {
            std::printf("producer: the channel is full, I wait with %d\n", i);
            to.send(i);
        }
        std::printf("producer: sent %d\n", i);
    }
    to.close();
    std::printf("producer: closed the channel\n");
}

int consume(const char* name, tendril::channel<int>& from) {
    int sum = 0;
    for (const int value : from) { // until it is closed and empty
        std::printf("  %s: got %d\n", name, value);
        sum += value;
        yield(); // the other one's turn
    }
    std::printf("  %s: no more\n", name);
    return sum;
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 04_producer_and_consumer\n");
        return 2;
    }
    tendril::channel<int> numbers(2);
    auto producer = tendril::spawn(produce, std::ref(numbers));
    auto anna = tendril::spawn(consume, "anna", std::ref(numbers));
    auto ben = tendril::spawn(consume, "ben", std::ref(numbers));
    producer.join();
    const int sums[] = {anna.get(), ben.get()};
    std::printf("anna %d + ben %d = %d\n", sums[0], sums[1], sums[0] + sums[1]);
}
