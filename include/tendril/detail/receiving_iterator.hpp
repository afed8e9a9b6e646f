// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace tendril {
namespace detail {

/// For range-for over what gives values until it gives nothing.
template <typename Source, typename T, std::optional<T> (Source::*Next)()>
class receiving_iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;

    receiving_iterator() = default; ///< the end
    explicit receiving_iterator(Source& from)
        : from_(&from)
        , value_((from.*Next)()) {}

    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return std::addressof(*value_); }
    receiving_iterator& operator++() {
        next();
        return *this;
    }
    void operator++(int) { next(); }

    friend bool operator==(const receiving_iterator& a, const receiving_iterator& b) noexcept {
        return a.value_.has_value() == b.value_.has_value();
    }
    friend bool operator!=(const receiving_iterator& a, const receiving_iterator& b) noexcept {
        return !(a == b);
    }

private:
    void next() {
        value_.reset(); // what it holds ends before the next is waited for
        if (std::optional<T> following = (from_->*Next)()) {
            value_.emplace(std::move(*following));
        }
    }

    Source* from_ = nullptr;
    mutable std::optional<T> value_;
};

} // namespace detail
} // namespace tendril
