// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>

namespace tendril::detail {

/// A number that one thread changes, as cheaply as any, and others may look at.
class shared_count {
public:
    operator std::size_t() const noexcept { return value_.load(std::memory_order_relaxed); }
    shared_count& operator=(std::size_t value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }
    void operator++() noexcept { *this = *this + 1; }
    void operator--() noexcept { *this = *this - 1; }

private:
    std::atomic<std::size_t> value_{0};
};

} // namespace tendril::detail
