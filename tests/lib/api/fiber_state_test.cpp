// SPDX-License-Identifier: BSL-1.0
// What a fiber has of its own although it lives in thread-local storage: errno, and the exceptions
// that it handles.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::fiber;
using tendril::spawn;
using tendril::this_fiber::sleep_for;
using tendril::this_fiber::yield;

/// Not inlined, so that the compiler cannot keep errno's address over a wait.
[[gnu::noinline]] int get_errno() {
    return errno;
}
[[gnu::noinline]] void set_errno(int value) {
    errno = value;
}

void pause(int how) {
    how % 2 == 0 ? yield() : sleep_for(std::chrono::microseconds(how % 50));
}

TEST(FiberState, ErrnoBelongsToTheFiber) {
    set_errno(EDOM);
    std::vector<fiber<void>> all;
    for (int i = 1; i <= 50; ++i) {
        all.push_back(spawn([i] {
            EXPECT_EQ(get_errno(), 0) << "as in a new thread";
            for (int n = 0; n < 10; ++n) {
                set_errno(i);
                pause(i + n);
                EXPECT_EQ(get_errno(), i);
            }
        }));
    }
    for (auto& f : all) {
        f.join();
        EXPECT_EQ(get_errno(), EDOM);
    }
}

TEST(FiberState, EveryNewFiberStartsWithoutAnError) {
    for (int i = 0; i < 10; ++i) { // on the same stack
        spawn([] {
            EXPECT_EQ(get_errno(), 0);
            set_errno(ENOENT);
        }).join();
    }
}

std::string message(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    }
}

/// Throws, waits inside the handler, throws again inside of it, and sees its own exceptions only.
void handle_nested(const std::string& name, int depth, std::minstd_rand& random) {
    try {
        pause(static_cast<int>(random() % 100));
        throw std::runtime_error(name + std::to_string(depth));
    } catch (const std::runtime_error& e) {
        const std::string mine = name + std::to_string(depth);
        pause(static_cast<int>(random() % 100));
        EXPECT_EQ(e.what(), mine);
        if (depth > 0) {
            handle_nested(name, depth - 1, random);
        }
        pause(static_cast<int>(random() % 100));
        EXPECT_EQ(message(std::current_exception()), mine);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        try {
            throw;
        } catch (const std::runtime_error& again) {
            pause(static_cast<int>(random() % 100));
            EXPECT_EQ(again.what(), mine);
        }
    }
}

TEST(FiberState, FibersParkInsideCatchBlocks) {
    std::vector<fiber<void>> all;
    for (unsigned i = 0; i < 30; ++i) {
        all.push_back(spawn([i] {
            std::minstd_rand random(i + 1);
            EXPECT_EQ(std::current_exception(), nullptr);
            handle_nested("fiber" + std::to_string(i) + "/", 4, random);
            EXPECT_EQ(std::current_exception(), nullptr);
        }));
    }
    try {
        throw std::runtime_error("main");
    } catch (const std::runtime_error& e) {
        for (auto& f : all) {
            f.get();
        }
        EXPECT_STREQ(e.what(), "main");
        EXPECT_EQ(message(std::current_exception()), "main");
    }
    EXPECT_EQ(std::current_exception(), nullptr);
}

/// Waits while its scope is left by an exception.
struct waits_at_its_end {
    int n;
    int& seen;
    ~waits_at_its_end() {
        EXPECT_EQ(std::uncaught_exceptions(), 1);
        pause(n);
        spawn([] {
            EXPECT_EQ(std::uncaught_exceptions(), 0) << "another fiber's is not ours";
            try {
                throw 1;
            } catch (int) {
                yield();
            }
        }).join();
        EXPECT_EQ(std::uncaught_exceptions(), 1);
        ++seen;
    }
};

TEST(FiberState, DestructorsWaitDuringUnwinding) {
    int seen = 0;
    std::vector<fiber<void>> all;
    for (int i = 0; i < 30; ++i) {
        all.push_back(spawn([&seen, i] {
            const waits_at_its_end first{i, seen};
            const waits_at_its_end second{i + 1, seen};
            throw std::runtime_error(std::to_string(i));
        }));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        try {
            all[i].get();
            ADD_FAILURE();
        } catch (const std::runtime_error& e) {
            EXPECT_EQ(e.what(), std::to_string(i));
        }
    }
    EXPECT_EQ(seen, 60);
}

TEST(FiberState, AnExceptionMayBeRethrownByAnotherFiberMeanwhile) {
    const std::exception_ptr shared = std::make_exception_ptr(std::runtime_error("shared"));
    std::vector<fiber<void>> all;
    for (int i = 0; i < 10; ++i) {
        all.push_back(spawn([&shared, i] {
            try {
                std::rethrow_exception(shared);
            } catch (const std::runtime_error& e) {
                pause(i);
                EXPECT_STREQ(e.what(), "shared");
            }
        }));
    }
    for (auto& f : all) {
        f.get();
    }
}

} // namespace
