// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/operations.hpp"
#include "shims/ops/stream_call.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

extern "C" int __vsnprintf_chk(char* to, std::size_t size, int flag, std::size_t room,
                               const char* format, va_list list);

namespace tendril::detail::shim::ops {

using stdio::stream;

namespace {

/// What printf would print, or an error.
class formatted {
public:
    /// `flag`: as in __printf_chk; negative: printf.
    formatted(int flag, const char* format, va_list list) noexcept {
        const int error = errno; // for %m
        va_list again;
        va_copy(again, list);
        size_ = print(few_, sizeof few_, flag, format, list);
        if (size_ >= static_cast<int>(sizeof few_)) {
            const auto room = static_cast<std::size_t>(size_) + 1;
            many_ = static_cast<char*>(std::malloc(room));
            errno = error;
            size_ = many_ != nullptr ? print(many_, room, flag, format, again) : -1;
        }
        va_end(again);
        if (size_ >= 0) {
            errno = error;
        }
    }
    ~formatted() { std::free(many_); }
    formatted(const formatted&) = delete;
    formatted& operator=(const formatted&) = delete;

    const char* data() const noexcept { return many_ != nullptr ? many_ : few_; }
    int size() const noexcept { return size_; } ///< negative: failed, with errno set

private:
    [[gnu::format(printf, 4, 0)]] static int print(char* to, std::size_t room, int flag,
                                                   const char* format, va_list list) noexcept {
        return flag < 0 ? ::vsnprintf(to, room, format, list)
                        : ::__vsnprintf_chk(to, room, flag, room, format, list);
    }

    char few_[1024];
    char* many_ = nullptr;
    int size_;
};

int put_formatted(stream& s, int flag, const char* format, va_list list) noexcept {
    FILE* const f = s.file();
    if (f->_mode == 0) {
        f->_mode = -1;
    }
    if (stdio::has(f, stdio::flag::no_writes)) { // also when nothing is to be written
        f->_flags |= stdio::flag::error_seen;
        errno = EBADF;
        return -1;
    }
    const formatted text(flag, format, list);
    if (text.size() < 0) {
        return -1;
    }
    const auto size = static_cast<std::size_t>(text.size());
    return stdio::put_bytes(s, text.data(), size) == size ? text.size() : -1;
}

/// dprintf: to an fd, all of it.
int write_formatted(int fd, int flag, const char* format, va_list list, io::options& o) noexcept {
    const formatted text(flag, format, list);
    int done = text.size() < 0 ? -errno : 0;
    if (text.size() == 0 && ::lseek(fd, 0, SEEK_CUR) < 0 && errno != ESPIPE) {
        done = -errno; // glibc asks it of every fd
    }
    while (done >= 0 && done < text.size()) {
        const ssize_t n =
            io::write(fd, text.data() + done, static_cast<std::size_t>(text.size() - done), o);
        done = n < 0 ? static_cast<int>(n) : done + static_cast<int>(n);
    }
    return done;
}

std::size_t items(tendril_shim_index index, FILE* file, locking locks, const void* from,
                  std::size_t size, std::size_t count,
                  std::size_t (*original)(const void*, std::size_t, std::size_t, FILE*)) noexcept {
    return on_stream(
        index, file, locks, std::size_t{0},
        [&](stream& s) -> std::size_t {
            const std::size_t wanted = size * count;
            if (wanted == 0) {
                return 0;
            }
            const std::size_t put = stdio::put_bytes(s, from, wanted);
            return put == wanted || put == stdio::taken_but_lost ? count : put / size;
        },
        [&] { return original(from, size, count, file); });
}

int text_to(tendril_shim_index index, FILE* file, locking locks, const char* text,
            int (*original)(const char*, FILE*)) noexcept {
    return on_stream(
        index, file, locks, EOF,
        [&](stream& s) {
            const std::size_t size = std::strlen(text);
            return stdio::put_bytes(s, text, size) == size ? 1 : EOF;
        },
        [&] { return original(text, file); });
}

} // namespace

int putc(int c, FILE* file) noexcept {
    if (file->_IO_write_ptr < file->_IO_write_end && needs_nothing(tendril_shim_index_putc)) {
        *file->_IO_write_ptr++ = static_cast<char>(c);
        return static_cast<unsigned char>(c);
    }
    return on_stream(
        tendril_shim_index_putc, file, locking::yes, EOF,
        [&](stream& s) { return stdio::put_char(s, c); }, [&] { return libc.putc(c, file); });
}

int putc_unlocked(int c, FILE* file) noexcept {
    return on_stream(
        tendril_shim_index_putc_unlocked, file, locking::no, EOF,
        [&](stream& s) { return stdio::put_char(s, c); },
        [&] { return libc.putc_unlocked(c, file); });
}

int __overflow(FILE* file, int c) noexcept {
    return on_stream(
        tendril_shim_index___overflow, file, locking::no, EOF,
        [&](stream& s) { return c == EOF ? (stdio::flush(s) ? 0 : EOF) : stdio::put_char(s, c); },
        [&] { return libc.__overflow(file, c); });
}

int fputs(const char* text, FILE* file) noexcept {
    return text_to(tendril_shim_index_fputs, file, locking::yes, text, libc.fputs);
}

int fputs_unlocked(const char* text, FILE* file) noexcept {
    return text_to(tendril_shim_index_fputs_unlocked, file, locking::no, text, libc.fputs_unlocked);
}

int puts(const char* text) noexcept {
    return on_stream(
        tendril_shim_index_puts, stdout, locking::yes, EOF,
        [&](stream& s) {
            const std::size_t size = std::strlen(text);
            const bool put =
                stdio::put_bytes(s, text, size) == size && stdio::put_char(s, '\n') != EOF;
            return put ? static_cast<int>(std::min<std::size_t>(size + 1, INT_MAX)) : EOF;
        },
        [&] { return libc.puts(text); });
}

size_t fwrite(const void* from, size_t size, size_t count, FILE* file) noexcept {
    return items(tendril_shim_index_fwrite, file, locking::yes, from, size, count, libc.fwrite);
}

size_t fwrite_unlocked(const void* from, size_t size, size_t count, FILE* file) noexcept {
    return items(tendril_shim_index_fwrite_unlocked, file, locking::no, from, size, count,
                 libc.fwrite_unlocked);
}

int putw(int word, FILE* file) noexcept {
    return on_stream(
        tendril_shim_index_putw, file, locking::yes, EOF,
        [&](stream& s) { return stdio::put_bytes(s, &word, sizeof word) == sizeof word ? 0 : EOF; },
        [&] { return libc.putw(word, file); });
}

int vfprintf(FILE* file, const char* format, va_list list) noexcept {
    return on_stream(
        tendril_shim_index_vfprintf, file, locking::yes, -1,
        [&](stream& s) { return put_formatted(s, -1, format, list); },
        [&] { return libc.vfprintf(file, format, list); });
}

int __vfprintf_chk(FILE* file, int flag, const char* format, va_list list) noexcept {
    return on_stream(
        tendril_shim_index___vfprintf_chk, file, locking::yes, -1,
        [&](stream& s) { return put_formatted(s, std::max(flag, 0), format, list); },
        [&] { return libc.__vfprintf_chk(file, flag, format, list); });
}

int vdprintf(int fd, const char* format, va_list list) noexcept {
    return call(
        tendril_shim_index_vdprintf,
        [&](hub_core&, io::options& o) { return write_formatted(fd, -1, format, list, o); },
        [&] { return libc.vdprintf(fd, format, list); });
}

int __vdprintf_chk(int fd, int flag, const char* format, va_list list) noexcept {
    return call(
        tendril_shim_index___vdprintf_chk,
        [&](hub_core&, io::options& o) {
            return write_formatted(fd, std::max(flag, 0), format, list, o);
        },
        [&] { return libc.__vdprintf_chk(fd, flag, format, list); });
}

} // namespace tendril::detail::shim::ops
