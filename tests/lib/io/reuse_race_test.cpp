// SPDX-License-Identifier: BSL-1.0
// fds that other threads close and use again while fibers wait for them, by our own interface.
#include "io/operations.hpp"
#include "support/reuse_race.hpp"

namespace {

namespace io = tendril::detail::io;
namespace reuse = tendril::test::reuse;

template <typename Result>
Result as_libc(Result result) {
    if (result >= 0) {
        return result;
    }
    errno = static_cast<int>(-result);
    return -1;
}

constexpr reuse::calls ours{
    [](int fd, void* buffer, std::size_t size) {
        io::options o;
        return as_libc(io::read(fd, buffer, size, o));
    },
    [](int fd, const void* buffer, std::size_t size) {
        io::options o;
        return as_libc(io::send(fd, buffer, size, MSG_NOSIGNAL, o));
    },
    [](int fd) { return as_libc(io::close(fd)); },
    [](int from, int to) { return as_libc(io::dup2(from, to)); },
};

TEST(reuse_race, no_byte_goes_to_or_comes_from_another_connection) {
    reuse::run(ours, reuse::full_rounds);
}

} // namespace
