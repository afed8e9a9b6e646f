// SPDX-License-Identifier: BSL-1.0
//
// Two transfers lock the same two accounts in opposite order, each gets one, and both wait for
// ever. As nothing can wake any fiber any more, the wait of main throws deadlock_error, which lists
// every fiber, what it waits for, who holds that, and where the fiber was spawned (addr2line turns
// the offset into a line). Then the same with std::scoped_lock, which takes both or none. Try:
// tendril::dump_fibers() in transfer(), which prints such a list at any time.
// Run: build/dev/bin/23_deadlock

#include <tendril/tendril.hpp>

#include <cstdio>
#include <mutex>

struct account {
    tendril::mutex lock;
    int money = 10;
};

void transfer(account& from, account& to) {
    const std::lock_guard first(from.lock);
    tendril::this_fiber::yield(); // others run, as in any wait
    const std::lock_guard second(to.lock);
    --from.money;
    ++to.money;
}

void transfer_in_order(account& from, account& to) {
    const std::scoped_lock both(from.lock, to.lock);
    tendril::this_fiber::yield();
    --from.money;
    ++to.money;
}

// They outlive main: a mutex must not be destroyed while somebody waits for it.
account anna;
account ben;

int main(int argc, char**) {
    if (argc != 1) {
        std::fputs("usage: 23_deadlock\n", stderr);
        return 2;
    }
    try {
        auto there = tendril::spawn({"Anna to Ben"}, [] { transfer(anna, ben); });
        auto back = tendril::spawn({"Ben to Anna"}, [] { transfer(ben, anna); });
        there.join();
        back.join();
    } catch (const tendril::deadlock_error& e) {
        std::fputs(e.what(), stdout);
    }

    account cleo;
    account dora;
    auto there = tendril::spawn([&] { transfer_in_order(cleo, dora); });
    auto back = tendril::spawn([&] { transfer_in_order(dora, cleo); });
    there.join();
    back.join();
    std::printf("with std::scoped_lock: Cleo has %d, Dora has %d\n", cleo.money, dora.money);
}
