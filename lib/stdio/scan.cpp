// SPDX-License-Identifier: BSL-1.0
// libc's scanf takes its input from a stream of its own, which asks ours for what it has.
#include "stdio/stream.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tendril::detail::stdio {

namespace {

struct source {
    stream* from;
    bool failed = false;
    int error = 0;
};

/// Never more than what the FILE has now, so that what is left over can be put back by moving its
/// pointer.
ssize_t supply(void* cookie, char* to, std::size_t size) noexcept {
    auto& s = *static_cast<source*>(cookie);
    FILE* const f = s.from->file();
    if (readable(f) == 0 && !refill(*s.from)) {
        s.failed = has(f, flag::error_seen);
        s.error = errno;
        return s.failed ? -1 : 0;
    }
    const std::size_t n = std::min(readable(f), size);
    std::memcpy(to, f->_IO_read_ptr, n);
    f->_IO_read_ptr += n;
    return static_cast<ssize_t>(n);
}

} // namespace

int scan(stream& s, scanner scan, const char* format, va_list list) noexcept {
    source from{&s};
    FILE* const own = ::fopencookie(&from, "r", {supply, nullptr, nullptr, nullptr});
    if (own == nullptr) {
        return EOF;
    }
    char buffer[512];
    sys::real.setvbuf(own, buffer, _IOFBF, sizeof buffer);
    int result = scan(own, format, list);
    const int error = from.failed ? from.error : errno;
    s.file()->_IO_read_ptr -= readable(own);
    sys::real.fclose(own);
    errno = error;
    return result;
}

} // namespace tendril::detail::stdio
