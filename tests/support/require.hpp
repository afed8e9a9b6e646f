// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>
#include <cstdlib>

/// For processes that a test starts, where GoogleTest's own checks count for nothing: says what is
/// not so and ends the process.
#define REQUIRE(condition)                                                                         \
    if (!(condition)) {                                                                            \
        std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);               \
        std::_Exit(3);                                                                             \
    }
