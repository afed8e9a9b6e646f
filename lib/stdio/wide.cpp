// SPDX-License-Identifier: BSL-1.0
// Leaves FILEs as the wide functions of glibc 2.36 leave them (struct_FILE.h).
#include "stdio/wide.hpp"

#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

extern "C" {
[[gnu::visibility("default")]] wint_t __wunderflow(FILE* file);
[[noreturn]] void __chk_fail();
}

namespace tendril::detail::stdio {

bool becomes_wide(stream& s) noexcept {
    FILE* const f = s.file();
    if (!s.may_wait()) {
        return false;
    }
    if (f->_mode == 0 && is_of_bytes(f)) {
        ::fwide(f, 1);
    }
    return is_wide(f);
}

wide_copy::wide_copy(FILE* file, int fd) noexcept
    : file_(file) {
    std::memcpy(&copy_, file, sizeof copy_);
    copy_.file._fileno = fd;
}

/// All that libc changes of it; others may change its place in the list of all FILEs.
wide_copy::~wide_copy() {
    std::memcpy(file_, &copy_, offsetof(FILE, _chain));
    file_->_flags2 = copy_.file._flags2;
    file_->_cur_column = copy_.file._cur_column;
    file_->_offset = copy_.file._offset;
}

namespace {

/// The next character from the bytes that are there. WEOF with EBADF: there are too few.
wint_t convert(FILE* f) noexcept {
    constexpr int screens = flag::line_buffered | flag::unbuffered; // libc would see to stdout
    const int kept = f->_flags & screens;
    wint_t c = WEOF;
    f->_flags &= ~screens;
    {
        wide_copy copy(f, -1);
        c = __wunderflow(copy.file());
    }
    f->_flags |= kept;
    return c;
}

/// More bytes, behind those that are there.
bool read_more(stream& s, std::size_t room) noexcept {
    FILE* const f = s.file();
    const ssize_t n = s.read(f->_IO_read_end, room);
    if (n > 0) {
        f->_IO_read_end += n;
        if (f->_offset >= 0) {
            f->_offset += n;
        }
        return true;
    }
    if (n == 0 && readable(f) != 0) { // a part of a character
        errno = EILSEQ;
        f->_flags |= flag::error_seen;
    } else {
        f->_flags |= n == 0 ? flag::eof_seen : flag::error_seen;
    }
    f->_offset = -1;
    return false;
}

} // namespace

bool refill_wide(stream& s) noexcept {
    FILE* const f = s.file();
    if (!flush_wide(s)) {
        return false;
    }
    // libc says that there is nothing to read. And a buffer of one byte holds no character.
    if (has(f, flag::no_reads | flag::eof_seen) || buffer_size(f) == 1) {
        return __wunderflow(f) != WEOF;
    }
    if (has(f, flag::line_buffered | flag::unbuffered)) {
        s.hold().keep();
        flush_screen(s);
    }
    const int before = errno;
    const int error = f->_flags & flag::error_seen;
    for (;;) {
        f->_flags &= ~flag::error_seen;
        const wint_t c = convert(f);
        const bool wants_more = c == WEOF && has(f, flag::error_seen) && errno == EBADF;
        f->_flags |= error;
        if (!wants_more) {
            errno = c != WEOF || !has(f, flag::error_seen) ? before : errno;
            return c != WEOF;
        }
        f->_flags = (f->_flags & ~flag::error_seen) | error;
        errno = before;
        if (!read_more(s, static_cast<std::size_t>(f->_IO_buf_end - f->_IO_read_end))) {
            return false;
        }
    }
}

wchar_t* get_wide_line(stream& s, wchar_t* to, int room, std::size_t limit) noexcept {
    FILE* const f = s.file();
    if (room <= 0) {
        return nullptr;
    }
    if (room == 1 && limit == SIZE_MAX) {
        *to = L'\0';
        return to;
    }
    const std::size_t wanted = std::min(static_cast<std::size_t>(room) - 1, limit);
    const int before = f->_flags & flag::error_seen;
    f->_flags &= ~flag::error_seen;
    std::size_t n = 0;
    for (wint_t c = 0; n < wanted && c != L'\n' && (c = get_wide(s)) != WEOF;) {
        to[n++] = static_cast<wchar_t>(c);
    }
    // Of a line that EAGAIN interrupted, the next call tells.
    const bool failed = has(f, flag::error_seen) && errno != EAGAIN;
    f->_flags |= before;
    if (failed || n == 0) {
        return nullptr;
    }
    if (n >= limit) {
        __chk_fail();
    }
    to[n] = L'\0';
    return to;
}

bool flush_wide(stream& s) noexcept {
    const wide_area& area = wide_area_of(s.file());
    if (area.write_ptr <= area.write_base && pending(s.file()) == 0) {
        return true;
    }
    return put_wide(s, EOF, [](FILE* f) { return sys::real.fflush_unlocked(f); }) == 0;
}

int open_sink() noexcept {
    rlimit limit{};
    // It counts as a file, and pipes have no size.
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) {
        return -1;
    }
    const int before = errno;
    const int sink = ::memfd_create("wide characters", MFD_CLOEXEC);
    errno = before;
    return sink;
}

bool drain(stream& s, int sink) noexcept {
    const int before = errno;
    const off64_t end = ::lseek(sink, 0, SEEK_CUR);
    const auto size = static_cast<std::size_t>(std::max<off64_t>(end, 0));
    auto* const bytes = size != 0 ? static_cast<char*>(std::malloc(size)) : nullptr;
    const bool taken = bytes != nullptr && ::pread64(sink, bytes, size, 0) == end;
    sys::real.close(sink); // before this fiber may switch
    errno = before;
    std::size_t done = 0;
    while (taken && done < size) {
        const ssize_t n = s.write(bytes + done, size - done);
        if (n < 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    if (size != 0 && !taken) {
        errno = ENOMEM;
    }
    if (done < size) {
        s.file()->_flags |= flag::error_seen;
    }
    const int error = errno;
    std::free(bytes);
    errno = error;
    return done == size;
}

} // namespace tendril::detail::stdio
