// SPDX-License-Identifier: BSL-1.0
// Leaves FILEs as the input functions of glibc 2.36 leave them (struct_FILE.h).
#include "stdio/stream.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

extern "C" [[noreturn]] void __chk_fail(); // glibc's 'buffer overflow detected'

namespace tendril::detail::stdio {

namespace {

constexpr off64_t unknown_position = -1;

void empty_buffer(FILE* f) noexcept {
    f->_IO_read_base = f->_IO_read_ptr = f->_IO_read_end = f->_IO_buf_base;
    f->_IO_write_base = f->_IO_write_ptr = f->_IO_write_end = f->_IO_buf_base;
}

/// What was put is written; what comes is read.
bool leave_put_mode(stream& s) noexcept {
    FILE* const f = s.file();
    if (!has(f, flag::putting)) {
        return true;
    }
    if (!flush(s)) {
        return false;
    }
    f->_IO_read_base = f->_IO_buf_base;
    f->_IO_read_end = std::max(f->_IO_read_end, f->_IO_write_ptr);
    f->_IO_read_ptr = f->_IO_write_ptr;
    f->_IO_write_base = f->_IO_write_end = f->_IO_write_ptr;
    f->_flags &= ~flag::putting;
    return true;
}

/// After a read that gave nothing.
void note_end(FILE* f, ssize_t n) noexcept {
    f->_flags |= n == 0 ? flag::eof_seen : flag::error_seen;
}

bool ready_to_refill(stream& s) noexcept {
    FILE* const f = s.file();
    if (has(f, flag::eof_seen)) {
        return false; // C99: it sticks
    }
    if (has(f, flag::no_reads)) {
        f->_flags |= flag::error_seen;
        errno = EBADF;
        return false;
    }
    if (f->_IO_buf_base == nullptr) {
        _IO_doallocbuf(f);
    }
    if (has(f, flag::line_buffered | flag::unbuffered)) {
        s.hold().keep();
        flush_screen(s);
    }
    return true;
}

} // namespace

void flush_screen(stream& s) noexcept {
    constexpr int all = flag::linked | flag::no_writes | flag::line_buffered;
    if (stdout == s.file() || (stdout->_flags & all) != (flag::linked | flag::line_buffered) ||
        pending(stdout) == 0 || !is_of_bytes(stdout)) {
        return;
    }
    stream screen(s.hub(), stdout, true, s.options());
    // Not when another fiber has it: that one may wait for what this one holds.
    if (screen.try_acquire()) {
        flush(screen);
    }
}

bool refill(stream& s) noexcept {
    FILE* const f = s.file();
    if (!is_of_bytes(f) || !s.may_wait()) {
        return __underflow(f) != EOF;
    }
    if (f->_mode == 0) {
        f->_mode = -1; // bytes, from now on
    }
    if (!leave_put_mode(s)) {
        return false;
    }
    if (f->_IO_read_ptr == f->_IO_read_end && has_backup(f)) {
        _IO_free_backup_area(f); // of ungetc; what was read before it comes back
    }
    if (readable(f) != 0) {
        return true;
    }
    if (!ready_to_refill(s)) {
        return false;
    }
    empty_buffer(f);
    const ssize_t n = s.read(f->_IO_buf_base, buffer_size(f));
    if (n <= 0) {
        note_end(f, n);
        f->_offset = unknown_position;
        return false;
    }
    f->_IO_read_end += n;
    if (f->_offset != unknown_position) {
        f->_offset += n;
    }
    return true;
}

namespace {

/// A whole number of blocks goes past the buffer. False: the end, or an error.
bool read_directly(stream& s, char*& to, std::size_t& size) noexcept {
    FILE* const f = s.file();
    const std::size_t block = buffer_size(f);
    empty_buffer(f);
    const ssize_t n = s.read(to, block >= 128 ? size - size % block : size);
    if (n <= 0) {
        note_end(f, n);
        return false;
    }
    to += n;
    size -= static_cast<std::size_t>(n);
    if (f->_offset != unknown_position) {
        f->_offset += n;
    }
    return true;
}

bool can_read_directly(FILE* f, std::size_t size) noexcept {
    return f->_IO_buf_base != nullptr && size >= buffer_size(f) && !has_backup(f) &&
           !has(f, flag::putting | flag::no_reads);
}

} // namespace

std::size_t get_bytes(stream& s, void* to, std::size_t size) noexcept {
    FILE* const f = s.file();
    char* at = static_cast<char*>(to);
    std::size_t left = size;
    bool waits = false;
    for (;;) {
        const std::size_t n = std::min(readable(f), left);
        if (n != 0) {
            std::memcpy(at, f->_IO_read_ptr, n);
            f->_IO_read_ptr += n;
            at += n;
            left -= n;
        }
        if (left == 0) {
            return size;
        }
        if (!waits && (!is_of_bytes(f) || !s.may_wait())) {
            return size - left + sys::real.fread_unlocked(at, 1, left, f);
        }
        waits = true;
        if (f->_IO_buf_base == nullptr && !has_backup(f)) {
            _IO_doallocbuf(f); // its size decides how the request is divided
        }
        if (can_read_directly(f, left) ? !read_directly(s, at, left) : !refill(s)) {
            return size - left;
        }
    }
}

std::size_t get_until(stream& s, char* to, std::size_t size, int end) noexcept {
    FILE* const f = s.file();
    std::size_t done = 0;
    while (done < size && (readable(f) != 0 || refill(s))) {
        const std::size_t room = std::min(readable(f), size - done);
        const void* const found = std::memchr(f->_IO_read_ptr, end, room);
        const std::size_t n =
            found != nullptr
                ? static_cast<std::size_t>(static_cast<const char*>(found) - f->_IO_read_ptr) + 1
                : room;
        std::memcpy(to + done, f->_IO_read_ptr, n);
        f->_IO_read_ptr += n;
        done += n;
        if (found != nullptr) {
            break;
        }
    }
    return done;
}

namespace {

/// `read()` with the error flag telling of it alone. A line that was interrupted by EAGAIN is
/// given, and the error left to the next call.
template <typename Read>
char* line_read(FILE* f, char* to, Read read) noexcept {
    const int before = f->_flags & flag::error_seen;
    f->_flags &= ~flag::error_seen;
    const bool any = read();
    const bool failed = has(f, flag::error_seen) && errno != EAGAIN;
    f->_flags |= before;
    return any && !failed ? to : nullptr;
}

} // namespace

char* get_line(stream& s, char* to, int room, std::size_t limit) noexcept {
    if (room <= 0) {
        return nullptr;
    }
    if (room == 1) {
        *to = '\0';
        return to;
    }
    return line_read(s.file(), to, [&] {
        const std::size_t wanted = static_cast<std::size_t>(room) - 1;
        const std::size_t n = get_until(s, to, std::min(wanted, limit), '\n');
        if (n >= limit) {
            __chk_fail();
        }
        if (n != 0) {
            to[n] = '\0';
        }
        return n != 0;
    });
}

char* get_whole_line(stream& s, char* to, std::size_t limit) noexcept {
    return line_read(s.file(), to, [&] {
        const std::size_t n = get_until(s, to, limit, '\n');
        if (n >= limit && to[n - 1] != '\n') {
            __chk_fail();
        }
        if (n != 0) {
            to[to[n - 1] == '\n' ? n - 1 : n] = '\0';
        }
        return n != 0;
    });
}

namespace {

bool make_room(char** to, std::size_t* room, std::size_t needed) noexcept {
    if (*to != nullptr && needed <= *room) {
        return true;
    }
    const std::size_t size = std::max({needed, 2 * *room, std::size_t{120}});
    auto* const bigger = static_cast<char*>(std::realloc(*to, size));
    if (bigger == nullptr) {
        return false;
    }
    *to = bigger;
    *room = size;
    return true;
}

} // namespace

ssize_t get_delimited(stream& s, char** to, std::size_t* room, int end) noexcept {
    FILE* const f = s.file();
    if (to == nullptr || room == nullptr) {
        errno = EINVAL;
        return -1;
    }
    if (has(f, flag::error_seen)) {
        return -1;
    }
    if (*to == nullptr || *room == 0) { // glibc takes anything for a pointer to no room
        *to = nullptr;
        *room = 0;
    }
    if (!make_room(to, room, 1)) {
        return -1;
    }
    std::size_t length = 0;
    while (readable(f) != 0 || refill(s)) {
        const char* const from = f->_IO_read_ptr;
        const void* const found = std::memchr(from, end, readable(f));
        const std::size_t n =
            found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - from) + 1
                             : readable(f);
        if (n >= SSIZE_MAX - length) {
            errno = EOVERFLOW;
            return -1;
        }
        if (!make_room(to, room, length + n + 1)) {
            return -1;
        }
        std::memcpy(*to + length, from, n);
        f->_IO_read_ptr += n;
        length += n;
        if (found != nullptr) {
            break;
        }
    }
    if (length == 0) {
        return -1; // the caller's last line stays
    }
    (*to)[length] = '\0';
    return static_cast<ssize_t>(length);
}

} // namespace tendril::detail::stdio
