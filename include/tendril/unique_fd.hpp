// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

#include <utility>

namespace tendril {
inline namespace v1 {
namespace io {

/// Owns a file descriptor, and closes it as io::close() does, but ignores errors: fibers that wait
/// for it are woken with EBADF.
class TENDRIL_EXPORT unique_fd {
public:
    unique_fd() noexcept = default; ///< owns none
    explicit unique_fd(int fd) noexcept
        : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept
        : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) {
            reset(other.release());
        }
        return *this;
    }
    ~unique_fd() { reset(); }

    int get() const noexcept { return fd_; } ///< or -1
    /// The caller's from now on, or -1.
    int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes what it owns, and owns `fd`.
    void reset(int fd = -1) noexcept;

    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

} // namespace io
} // namespace v1
} // namespace tendril
