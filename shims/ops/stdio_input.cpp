// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/operations.hpp"
#include "shims/ops/stream_call.hpp"

namespace tendril::detail::shim::ops {

using stdio::stream;

namespace {

char* line(tendril_shim_index index, FILE* file, locking locks, char* to, int room,
           std::size_t limit, char* (*original)(char*, int, FILE*)) noexcept {
    return on_stream(
        index, file, locks, static_cast<char*>(nullptr),
        [&](stream& s) { return stdio::get_line(s, to, room, limit); },
        [&] { return original(to, room, file); });
}

char* checked_line(tendril_shim_index index, FILE* file, locking locks, char* to, std::size_t limit,
                   int room, char* (*original)(char*, std::size_t, int, FILE*)) noexcept {
    return on_stream(
        index, file, locks, static_cast<char*>(nullptr),
        [&](stream& s) { return stdio::get_line(s, to, room, limit); },
        [&] { return original(to, limit, room, file); });
}

/// Of `count` items: those that are whole.
std::size_t items(tendril_shim_index index, FILE* file, locking locks, void* to, std::size_t size,
                  std::size_t count,
                  std::size_t (*original)(void*, std::size_t, std::size_t, FILE*)) noexcept {
    return on_stream(
        index, file, locks, std::size_t{0},
        [&](stream& s) -> std::size_t {
            const std::size_t wanted = size * count;
            if (wanted == 0) {
                return 0;
            }
            const std::size_t got = stdio::get_bytes(s, to, wanted);
            return got == wanted ? count : got / size;
        },
        [&] { return original(to, size, count, file); });
}

int scanned(tendril_shim_index index, FILE* file, const char* format, va_list list,
            stdio::scanner original) noexcept {
    return on_stream(
        index, file, locking::yes, EOF,
        [&](stream& s) {
            // libc itself where it does not wait, and where it says at once that it must not read.
            return s.may_wait() && !stdio::has(file, stdio::flag::no_reads)
                       ? stdio::scan(s, original, format, list)
                       : original(file, format, list);
        },
        [&] { return original(file, format, list); });
}

} // namespace

int getc(FILE* file) noexcept {
    if (stdio::readable(file) != 0 && needs_nothing(tendril_shim_index_getc)) {
        return static_cast<unsigned char>(*file->_IO_read_ptr++);
    }
    return on_stream(tendril_shim_index_getc, file, locking::yes, EOF, stdio::get_char,
                     [&] { return libc.getc(file); });
}

int getc_unlocked(FILE* file) noexcept {
    return on_stream(tendril_shim_index_getc_unlocked, file, locking::no, EOF, stdio::get_char,
                     [&] { return libc.getc_unlocked(file); });
}

int __uflow(FILE* file) noexcept {
    return on_stream(tendril_shim_index___uflow, file, locking::no, EOF, stdio::get_char,
                     [&] { return libc.__uflow(file); });
}

char* fgets(char* to, int room, FILE* file) noexcept {
    return line(tendril_shim_index_fgets, file, locking::yes, to, room, SIZE_MAX, libc.fgets);
}

char* fgets_unlocked(char* to, int room, FILE* file) noexcept {
    return line(tendril_shim_index_fgets_unlocked, file, locking::no, to, room, SIZE_MAX,
                libc.fgets_unlocked);
}

char* __fgets_chk(char* to, size_t limit, int room, FILE* file) noexcept {
    return checked_line(tendril_shim_index___fgets_chk, file, locking::yes, to, limit, room,
                        libc.__fgets_chk);
}

char* __fgets_unlocked_chk(char* to, size_t limit, int room, FILE* file) noexcept {
    return checked_line(tendril_shim_index___fgets_unlocked_chk, file, locking::no, to, limit, room,
                        libc.__fgets_unlocked_chk);
}

char* gets(char* to) noexcept {
    return on_stream(
        tendril_shim_index_gets, stdin, locking::yes, static_cast<char*>(nullptr),
        [&](stream& s) { return stdio::get_whole_line(s, to); }, [&] { return libc.gets(to); });
}

char* __gets_chk(char* to, size_t limit) noexcept {
    return on_stream(
        tendril_shim_index___gets_chk, stdin, locking::yes, static_cast<char*>(nullptr),
        [&](stream& s) { return stdio::get_whole_line(s, to, limit); },
        [&] { return libc.__gets_chk(to, limit); });
}

ssize_t getdelim(char** to, size_t* room, int end, FILE* file) noexcept {
    return on_stream(
        tendril_shim_index_getdelim, file, locking::yes, ssize_t{-1},
        [&](stream& s) { return stdio::get_delimited(s, to, room, end); },
        [&] { return libc.getdelim(to, room, end, file); });
}

size_t fread(void* to, size_t size, size_t count, FILE* file) noexcept {
    return items(tendril_shim_index_fread, file, locking::yes, to, size, count, libc.fread);
}

size_t fread_unlocked(void* to, size_t size, size_t count, FILE* file) noexcept {
    return items(tendril_shim_index_fread_unlocked, file, locking::no, to, size, count,
                 libc.fread_unlocked);
}

int getw(FILE* file) noexcept {
    return on_stream(
        tendril_shim_index_getw, file, locking::yes, EOF,
        [&](stream& s) {
            int word = 0;
            return stdio::get_bytes(s, &word, sizeof word) == sizeof word ? word : EOF;
        },
        [&] { return libc.getw(file); });
}

int vfscanf(FILE* file, const char* format, va_list list) noexcept {
    return scanned(tendril_shim_index_vfscanf, file, format, list, libc.vfscanf);
}

int __isoc99_vfscanf(FILE* file, const char* format, va_list list) noexcept {
    return scanned(tendril_shim_index___isoc99_vfscanf, file, format, list, libc.__isoc99_vfscanf);
}

int ungetc(int c, FILE* file) noexcept {
    const auto original = [&] { return libc.ungetc(c, file); };
    return on_stream(
        tendril_shim_index_ungetc, file, locking::yes, EOF, [&](stream&) { return original(); },
        original);
}

} // namespace tendril::detail::shim::ops
