// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/fiber.hpp>

#include <gtest/gtest.h>

namespace tendril_test {

/// A fiber that calls `function`, and waits in it by the time this returns.
template <typename Function>
auto parked(Function function) {
    bool begun = false;
    auto f = tendril::spawn([&begun, function] {
        begun = true;
        return function();
    });
    while (!begun) {
        tendril::this_fiber::yield();
    }
    EXPECT_FALSE(f.ready());
    return f;
}

} // namespace tendril_test
