// SPDX-License-Identifier: BSL-1.0
#include "stdio/stream.hpp"

#include "io/fd_traits.hpp"

#include <cerrno>

namespace tendril::detail::stdio {

bool stream::may_wait() const noexcept {
    const int saved = errno;
    const io::fd_kind kind = io::kind_of(file_->_fileno);
    errno = saved;
    return kind != io::fd_kind::file && kind != io::fd_kind::disk && kind != io::fd_kind::unknown;
}

namespace {

ssize_t as_libc(ssize_t result, int saved) noexcept {
    errno = result < 0 ? static_cast<int>(-result) : saved;
    return result < 0 ? -1 : result;
}

} // namespace

ssize_t stream::read(void* to, std::size_t size) noexcept {
    const int saved = errno;
    hold_.keep();
    return as_libc(hold_.is_closing() ? -EBADF : io::read(file_->_fileno, to, size, options_),
                   saved);
}

ssize_t stream::write(const void* from, std::size_t size) noexcept {
    const int saved = errno;
    hold_.keep();
    return as_libc(hold_.is_closing() ? -EBADF : io::write(file_->_fileno, from, size, options_),
                   saved);
}

} // namespace tendril::detail::stdio
