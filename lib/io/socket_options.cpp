// SPDX-License-Identifier: BSL-1.0
// Options by which a program says how its blocking calls wait.
#include "io/socket_options.hpp"

#include "io/fd_traits.hpp"
#include "io/operations.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <sys/time.h>

namespace tendril::detail::io {

namespace {

// asm-generic/socket.h; which of the two SO_RCVTIMEO is depends on the headers. On 64-bit machines
// their values look the same.
constexpr int receive_timeout_old = 20;
constexpr int send_timeout_old = 21;
constexpr int receive_timeout_new = 66;
constexpr int send_timeout_new = 67;

bool limits_receiving(int option) noexcept {
    return option == receive_timeout_old || option == receive_timeout_new;
}

bool limits_sending(int option) noexcept {
    return option == send_timeout_old || option == send_timeout_new;
}

/// Sockets by their cookies, which are never used again. Lock-free, because a fork may come at any
/// time. Who sets a negative timeout on more sockets than fit loses the oldest: it waits for ever.
class socket_set {
public:
    void insert(std::uint64_t cookie) noexcept {
        if (!contains(cookie)) {
            const std::uint32_t at = next_.fetch_add(1, std::memory_order_relaxed);
            cookies_[at % cookies_.size()].store(cookie, std::memory_order_release);
        }
    }
    void erase(std::uint64_t cookie) noexcept {
        for (auto& slot : cookies_) {
            std::uint64_t expected = cookie;
            slot.compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
        }
    }
    bool contains(std::uint64_t cookie) const noexcept {
        return std::any_of(cookies_.begin(), cookies_.end(), [&](const auto& slot) {
            return slot.load(std::memory_order_acquire) == cookie;
        });
    }
    bool was_used() const noexcept { return next_.load(std::memory_order_relaxed) != 0; }

private:
    std::array<std::atomic<std::uint64_t>, 64> cookies_{};
    std::atomic<std::uint32_t> next_{0};
};

constinit socket_set never_receiving;
constinit socket_set never_sending;
constinit std::atomic<bool> low_water_used{false};

} // namespace

std::uint64_t cookie_of(int fd) noexcept {
    std::uint64_t cookie = 0; // none has it
    socklen_t size = sizeof cookie;
    sys::real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return cookie;
}

std::chrono::microseconds socket_timeout(int fd, int option) noexcept {
    timeval value{};
    socklen_t size = sizeof value;
    // More than 30 years fit into a time_point no better than into a lifetime.
    constexpr std::int64_t for_ever = 1'000'000'000;
    if (sys::real.getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0 ||
        value.tv_sec >= for_ever) {
        return {};
    }
    return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
}

bool never_waits(int fd, int option) noexcept {
    const socket_set& sockets = limits_receiving(option) ? never_receiving : never_sending;
    if (!sockets.was_used()) {
        return false;
    }
    const std::uint64_t cookie = cookie_of(fd);
    return cookie != 0 && sockets.contains(cookie);
}

std::size_t low_water(int fd, std::size_t size) noexcept {
    if (!low_water_used.load(std::memory_order_relaxed)) {
        return 1;
    }
    int value = 0;
    socklen_t value_size = sizeof value;
    if (sys::real.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &value_size) != 0 || value < 1) {
        return 1;
    }
    return std::min(static_cast<std::size_t>(value), size);
}

void option_changed(int fd, int option, const void* value) noexcept {
    if (option == SO_RCVLOWAT) {
        low_water_used.store(true, std::memory_order_relaxed);
    }
    if (!limits_receiving(option) && !limits_sending(option)) {
        return;
    }
    socket_set& sockets = limits_receiving(option) ? never_receiving : never_sending;
    const bool negative = static_cast<const timeval*>(value)->tv_sec < 0;
    if (negative || sockets.was_used()) {
        if (const std::uint64_t cookie = cookie_of(fd); cookie != 0) {
            negative ? sockets.insert(cookie) : sockets.erase(cookie);
        }
    }
    descriptions_changed();
}

} // namespace tendril::detail::io
