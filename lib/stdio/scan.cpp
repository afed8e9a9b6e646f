// SPDX-License-Identifier: BSL-1.0
// libc's scanf takes its input from a stream of its own, which asks ours for what it has.
#include "stdio/scan_stream.hpp"
#include "stdio/stream.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace tendril::detail::stdio {

namespace {

/// Never more than what the FILE has now, so that what is left over can be put back by moving its
/// pointer.
ssize_t supply(void* cookie, char* to, std::size_t size) noexcept {
    auto& own = *static_cast<scan_stream*>(cookie);
    FILE* const f = own.from->file();
    if (readable(f) == 0 && !refill(*own.from)) {
        own.error = has(f, flag::error_seen) ? errno : 0;
        return own.error != 0 ? -1 : 0;
    }
    const std::size_t n = std::min(readable(f), size);
    std::memcpy(to, f->_IO_read_ptr, n);
    f->_IO_read_ptr += n;
    return static_cast<ssize_t>(n);
}

/// As if nothing had been read from it.
void make_new(FILE* f) noexcept {
    if (has_backup(f)) {
        _IO_free_backup_area(f);
    }
    f->_IO_read_ptr = f->_IO_read_end;
    f->_flags &= ~(flag::eof_seen | flag::error_seen);
}

} // namespace

scan_stream::scan_stream() noexcept
    : file(::fopencookie(this, "r", {supply, nullptr, nullptr, nullptr})) {
    if (file != nullptr) {
        sys::real.setvbuf(file, buffer_, _IOFBF, sizeof buffer_);
    }
}

scan_stream::~scan_stream() {
    if (file != nullptr) {
        sys::real.fclose(file);
    }
}

int scan(stream& s, scanner scan, const char* format, va_list list) noexcept {
    std::unique_ptr<scan_stream>* const spare = holds::spare(s.hub());
    std::unique_ptr<scan_stream> own = spare != nullptr ? std::move(*spare) : nullptr;
    if (own == nullptr) {
        own.reset(new (std::nothrow) scan_stream);
    }
    if (own == nullptr || own->file == nullptr) {
        errno = ENOMEM;
        return EOF;
    }
    own->from = &s;
    own->error = 0;
    const int result = scan(own->file, format, list);
    const int error = own->error != 0 ? own->error : errno;
    s.file()->_IO_read_ptr -= readable(own->file);
    make_new(own->file);
    if (std::unique_ptr<scan_stream>* const keeper = holds::spare(s.hub())) {
        *keeper = std::move(own);
    }
    own.reset();
    errno = error;
    return result;
}

} // namespace tendril::detail::stdio
