// SPDX-License-Identifier: BSL-1.0
//
// Two fibers on one thread. A fiber runs until it waits or yields, and then the next one does:
// nothing runs at the same time, and nothing has to be locked. Try: take the yield() out, and each
// greets three times in a row. Run: build/dev/bin/01_hello

#include <tendril/tendril.hpp>

#include <cstdio>
#include <string>

void greet(const std::string& whom) {
    for (int i = 1; i <= 3; ++i) {
        std::printf("hello %s, %d\n", whom.c_str(), i);
        tendril::this_fiber::yield();
    }
}

int main(int argc, char**) {
    if (argc > 1) {
        std::fprintf(stderr, "usage: 01_hello\n");
        return 2;
    }
    auto first = tendril::spawn(greet, "reader");
    auto second = tendril::spawn([] {
        greet("world");
        return 42;
    });
    std::printf("spawned; a fiber first runs when somebody waits\n");
    first.join();
    std::printf("the second one returned %d\n", second.get());
}
