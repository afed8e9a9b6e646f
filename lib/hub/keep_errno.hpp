// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/context.hpp"

namespace tendril::detail {

/// The hub works on the stack, and with the errno, of whichever fiber parked last.
class keep_errno {
public:
    explicit keep_errno(const thread_cells& cells) noexcept
        : cell_(*cells.error)
        , value_(cell_) {}
    ~keep_errno() { cell_ = value_; }
    keep_errno(const keep_errno&) = delete;
    keep_errno& operator=(const keep_errno&) = delete;

private:
    int& cell_;
    int value_;
};

} // namespace tendril::detail
