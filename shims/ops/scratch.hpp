// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace tendril::detail::shim {

/// A few on the stack, many on the heap.
template <typename T, std::size_t Few>
class scratch {
public:
    explicit scratch(std::size_t size) noexcept
        : many_(size > Few ? new (std::nothrow) T[size] : nullptr)
        , data_(size > Few ? many_.get() : few_) {}
    T* data() noexcept { return data_; } ///< null: no memory

private:
    T few_[Few];
    std::unique_ptr<T[]> many_;
    T* data_;
};

} // namespace tendril::detail::shim
