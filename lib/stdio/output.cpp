// SPDX-License-Identifier: BSL-1.0
// Leaves FILEs as the output functions of glibc 2.36 leave them (struct_FILE.h).
#include "stdio/stream.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cstring>
#include <unistd.h>

namespace tendril::detail::stdio {

namespace {

/// write(2) until all is written; a failure loses the rest. How much was written.
std::size_t write_all(stream& s, const char* from, std::size_t size) noexcept {
    FILE* const f = s.file();
    std::size_t done = 0;
    while (done < size) {
        const ssize_t n = s.write(from + done, size - done);
        if (n < 0) {
            f->_flags |= flag::error_seen;
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    if (f->_offset >= 0) {
        f->_offset += static_cast<off64_t>(done);
    }
    return done;
}

std::size_t write_out(stream& s, const char* from, std::size_t size) noexcept {
    FILE* const f = s.file();
    if (has(f, flag::appending)) {
        f->_offset = -1;
    } else if (f->_IO_read_end != f->_IO_write_base) {
        // Something was read ahead, and is still in the buffer: writing goes where reading was.
        const off64_t at = ::lseek(f->_fileno, f->_IO_write_base - f->_IO_read_end, SEEK_CUR);
        if (at < 0) {
            return 0;
        }
        f->_offset = at;
    }
    const std::size_t done = write_all(s, from, size);
    f->_IO_read_base = f->_IO_read_ptr = f->_IO_read_end = f->_IO_buf_base;
    f->_IO_write_base = f->_IO_write_ptr = f->_IO_buf_base;
    f->_IO_write_end =
        has(f, flag::line_buffered | flag::unbuffered) ? f->_IO_buf_base : f->_IO_buf_end;
    return done;
}

/// glibc's overflow(EOF): there is a buffer, and it is empty.
bool make_room(stream& s) noexcept {
    FILE* const f = s.file();
    if (!has(f, flag::putting) || f->_IO_write_base == nullptr) {
        return sys::real.__overflow(f, EOF) != EOF; // nothing to write yet
    }
    return flush(s);
}

std::size_t room_for(const FILE* f, const char* from, std::size_t size, bool& ends_line) noexcept {
    if (has(f, flag::line_buffered) && has(f, flag::putting)) {
        const auto room = static_cast<std::size_t>(f->_IO_buf_end - f->_IO_write_ptr);
        if (room >= size) {
            if (const void* const last = ::memrchr(from, '\n', size)) {
                ends_line = true;
                return static_cast<std::size_t>(static_cast<const char*>(last) - from) + 1;
            }
        }
        return room;
    }
    return f->_IO_write_end > f->_IO_write_ptr
               ? static_cast<std::size_t>(f->_IO_write_end - f->_IO_write_ptr)
               : 0;
}

void append(FILE* f, const char* from, std::size_t size) noexcept {
    std::memcpy(f->_IO_write_ptr, from, size);
    f->_IO_write_ptr += size;
}

/// Less than a block, into an empty buffer.
std::size_t put_rest(stream& s, const char* from, std::size_t size) noexcept {
    FILE* const f = s.file();
    const void* const last = has(f, flag::line_buffered) ? ::memrchr(from, '\n', size) : nullptr;
    std::size_t lines = 0;
    if (last != nullptr) {
        lines = static_cast<std::size_t>(static_cast<const char*>(last) - from) + 1;
        append(f, from, lines);
        if (!flush(s)) {
            return 0;
        }
    }
    append(f, from + lines, size - lines);
    return size;
}

} // namespace

bool flush(stream& s) noexcept {
    FILE* const f = s.file();
    const std::size_t size = pending(f);
    if (size == 0) {
        return true;
    }
    if (!is_of_bytes(f) || !s.may_wait()) {
        return sys::real.fflush_unlocked(f) == 0;
    }
    return write_out(s, f->_IO_write_base, size) == size;
}

std::size_t put_bytes(stream& s, const void* from, std::size_t size) noexcept {
    FILE* const f = s.file();
    const auto* at = static_cast<const char*>(from);
    std::size_t left = size;
    bool ends_line = false;
    if (size == 0) {
        return 0;
    }
    const std::size_t n = std::min(room_for(f, at, left, ends_line), left);
    if (n == left && !ends_line) {
        append(f, at, n);
        return size;
    }
    if (!is_of_bytes(f) || !s.may_wait()) {
        return sys::real.fwrite_unlocked(at, 1, left, f);
    }
    if (f->_mode == 0) {
        f->_mode = -1;
    }
    if (n != 0) {
        append(f, at, n);
        at += n;
        left -= n;
    }
    if (!make_room(s)) {
        return left == 0 ? taken_but_lost : size - left;
    }
    const std::size_t block = buffer_size(f);
    const std::size_t directly = left - (block >= 128 ? left % block : 0);
    if (directly != 0) {
        const std::size_t done = write_out(s, at, directly);
        at += done;
        left -= done;
        if (done < directly) {
            return size - left;
        }
    }
    return left == 0 ? size : size - left + put_rest(s, at, left);
}

int put_char(stream& s, int c) noexcept {
    FILE* const f = s.file();
    if (f->_IO_write_ptr < f->_IO_write_end) {
        *f->_IO_write_ptr++ = static_cast<char>(c);
        return static_cast<unsigned char>(c);
    }
    if (!is_of_bytes(f) || !s.may_wait()) {
        return sys::real.__overflow(f, static_cast<unsigned char>(c));
    }
    const bool has_room =
        f->_IO_write_base != nullptr && has(f, flag::putting) && f->_IO_write_ptr != f->_IO_buf_end;
    if (!has_room && !make_room(s)) {
        return EOF;
    }
    *f->_IO_write_ptr++ = static_cast<char>(c);
    const bool goes =
        has(f, flag::unbuffered) || (has(f, flag::line_buffered) && static_cast<char>(c) == '\n');
    return !goes || flush(s) ? static_cast<unsigned char>(c) : EOF;
}

} // namespace tendril::detail::stdio
