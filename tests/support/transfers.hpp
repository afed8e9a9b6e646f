// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/operations.hpp"
#include "support/sockets.hpp"

#include <cerrno>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <unistd.h>

/// Short texts through fds: read as Tendril does, written by plain libc.
namespace tendril::test {

/// What a read of at most `most` bytes gives, or "error <errno>".
inline std::string read_some(int fd, std::size_t most = 100) {
    std::string text(most, '\0');
    detail::io::options o;
    const ssize_t n = detail::io::read(fd, text.data(), most, o);
    if (n < 0) {
        return "error " + std::to_string(-n);
    }
    text.resize(static_cast<std::size_t>(n));
    return text;
}

inline const std::string bad_fd = "error " + std::to_string(EBADF);

inline void put(int fd, std::string_view text) {
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

/// Options with a deadline so far from now.
inline detail::io::options in(std::chrono::milliseconds time) {
    detail::io::options o;
    o.deadline = std::chrono::steady_clock::now() + time;
    return o;
}

} // namespace tendril::test
