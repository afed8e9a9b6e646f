// SPDX-License-Identifier: BSL-1.0
// fds that other threads close and use again while fibers wait for them, by libc's names.
#include "support/reuse_race.hpp"

namespace {

namespace reuse = tendril::test::reuse;

constexpr reuse::calls of_libc{
    [](int fd, void* buffer, std::size_t size) { return ::read(fd, buffer, size); },
    [](int fd, const void* buffer, std::size_t size) {
        return ::send(fd, buffer, size, MSG_NOSIGNAL);
    },
    [](int fd) { return ::close(fd); },
    [](int from, int to) { return ::dup2(from, to); },
};

TEST(shim_reuse_race, no_byte_goes_to_or_comes_from_another_connection) {
    reuse::run(of_libc, reuse::full_rounds / 5);
}

} // namespace
