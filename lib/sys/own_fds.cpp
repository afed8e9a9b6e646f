// SPDX-License-Identifier: BSL-1.0
#include "sys/own_fds.hpp"

#include "sys/calls.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace tendril::sys {

namespace {

constexpr int first_own = 700; // below 1024, the usual limit
constexpr int fds_per_word = 64;
constexpr int most = 1 << 16; // an fd beyond is not remembered, only used

constinit std::array<std::atomic<std::uint64_t>, most / fds_per_word> owned{};
constinit std::atomic<int> lowest{first_own}; ///< that an fd of ours may have

std::atomic<std::uint64_t>& word_of(int fd) noexcept {
    return owned[static_cast<std::size_t>(fd / fds_per_word)];
}

std::uint64_t bit_of(int fd) noexcept {
    return std::uint64_t{1} << (fd % fds_per_word);
}

/// False if another of ours had that number. It was closed behind our back, as it could be given
/// out again, and whoever has it does not know yet: it will look there, and close it.
bool claim(int fd) noexcept {
    return fd >= most ||
           (word_of(fd).fetch_or(bit_of(fd), std::memory_order_relaxed) & bit_of(fd)) == 0;
}

/// The lowest number that is not below `fd` and none of ours.
int next_foreign(int fd) noexcept {
    while (fd < most) {
        const std::uint64_t rest = ~word_of(fd).load(std::memory_order_relaxed) & ~(bit_of(fd) - 1);
        const int base = fd / fds_per_word * fds_per_word;
        if (rest != 0) {
            return base + std::countr_zero(rest);
        }
        fd = base + fds_per_word;
    }
    return fd;
}

/// Its copy with a number that is not below `from`, or -1 and errno.
int move_up(int fd, int from) noexcept {
    for (;;) {
        const int moved = real.fcntl(fd, F_DUPFD_CLOEXEC, next_foreign(from));
        if (moved < 0 || claim(moved)) {
            return moved;
        }
        real.close(moved);
        from = moved + 1;
    }
}

} // namespace

int adopt(int fd) noexcept {
    if (fd < 0) {
        return fd;
    }
    // Fails where the limit is lower, and when all numbers are taken.
    int moved = move_up(fd, lowest.load(std::memory_order_relaxed));
    if (moved < 0 && lowest.exchange(first_own, std::memory_order_relaxed) != first_own) {
        moved = move_up(fd, first_own);
    }
    for (int from = first_own / 2; moved < 0 && errno == EINVAL && from >= 32; from /= 2) {
        moved = move_up(fd, from); // fcntl(2): the number is beyond the limit
    }
    if (moved < 0 && claim(fd)) {
        return fd;
    }
    if (moved < 0) {
        moved = move_up(fd, 0);
    }
    real.close(fd);
    if (moved < 0) {
        errno = EMFILE; // not EINVAL, which fcntl(2) has for a number beyond the limit
    }
    return moved;
}

namespace {

void forget(int fd) noexcept {
    if (fd >= 0 && fd < most) {
        word_of(fd).fetch_and(~bit_of(fd), std::memory_order_relaxed);
    }
}

} // namespace

void close_own(int fd) noexcept {
    forget(fd);
    real.close(fd);
}

void lose_own(int fd) noexcept {
    for (int own = next_own(first_own); own >= 0; own = next_own(own + 1)) {
        if (own >= lowest.load(std::memory_order_relaxed)) {
            lowest.store(own + 1, std::memory_order_relaxed);
        }
    }
    forget(fd);
}

bool is_own(int fd) noexcept {
    return fd >= 0 && fd < most && (word_of(fd).load(std::memory_order_relaxed) & bit_of(fd)) != 0;
}

int next_own(int fd) noexcept {
    for (int at = fd < 0 ? 0 : fd; at < most; at = (at / fds_per_word + 1) * fds_per_word) {
        const std::uint64_t rest = word_of(at).load(std::memory_order_relaxed) & ~(bit_of(at) - 1);
        if (rest != 0) {
            return at / fds_per_word * fds_per_word + std::countr_zero(rest);
        }
    }
    return -1;
}

} // namespace tendril::sys
