// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <sys/uio.h>

namespace tendril::detail::io {

inline std::size_t total_size(const iovec* iov, std::size_t count) noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        sum += iov[i].iov_len;
    }
    return sum;
}

/// What is left of a scattered buffer. The caller's array stays untouched: it is copied at the
/// first partial transfer.
class iov_cursor {
public:
    iov_cursor(const iovec* iov, std::size_t count) noexcept
        : iov_(iov)
        , count_(count)
        , left_(total_size(iov, count)) {}

    const iovec* data() const noexcept { return iov_; }
    iovec* data_for_msghdr() const noexcept { return const_cast<iovec*>(iov_); }
    std::size_t count() const noexcept { return count_; }
    std::size_t left() const noexcept { return left_; }

    /// False: no memory for the copy; the transfer has to end here.
    bool advance(std::size_t n) noexcept {
        left_ -= n;
        if (left_ == 0) {
            return true;
        }
        if (own_ == nullptr && !copy()) {
            return false;
        }
        while (n >= own_->iov_len) {
            n -= own_->iov_len;
            ++own_;
            --count_;
        }
        own_->iov_base = static_cast<std::byte*>(own_->iov_base) + n;
        own_->iov_len -= n;
        iov_ = own_;
        return true;
    }

    /// At most `size` bytes of what is left, from the first buffer that has any.
    iovec first_piece(std::size_t size) const noexcept {
        std::size_t i = 0;
        while (i + 1 < count_ && iov_[i].iov_len == 0) {
            ++i;
        }
        return {iov_[i].iov_base, iov_[i].iov_len < size ? iov_[i].iov_len : size};
    }

private:
    bool copy() noexcept {
        own_ = small_.data();
        if (count_ > small_.size()) {
            large_.reset(new (std::nothrow) iovec[count_]);
            own_ = large_.get();
        }
        for (std::size_t i = 0; own_ != nullptr && i < count_; ++i) {
            own_[i] = iov_[i];
        }
        return own_ != nullptr;
    }

    const iovec* iov_;
    std::size_t count_;
    std::size_t left_;
    iovec* own_ = nullptr;
    std::array<iovec, 4> small_;
    std::unique_ptr<iovec[]> large_;
};

} // namespace tendril::detail::io
