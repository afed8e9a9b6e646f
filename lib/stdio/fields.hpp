// SPDX-License-Identifier: BSL-1.0
#pragma once

// What this layer knows of glibc's FILE: <bits/types/struct_FILE.h> has the fields, and glibc's
// libio/libio.h the flags, which have been the same since glibc 2.1. Whether a FILE is one of those
// that are known here is seen by its table of functions, so another layout would not be taken for
// this one.

#include <cstddef>
#include <cstdio>

extern "C" {
[[gnu::visibility("default")]] int __underflow(FILE* file);
[[gnu::visibility("default")]] void _IO_doallocbuf(FILE* file);
[[gnu::visibility("default")]] void _IO_free_backup_area(FILE* file);
[[gnu::visibility("default")]] extern const char _IO_file_jumps[];
[[gnu::visibility("default")]] extern const char _IO_wfile_jumps[];
}

namespace tendril::detail::stdio {

namespace flag {
inline constexpr int unbuffered = 0x2;
inline constexpr int no_reads = 0x4;
inline constexpr int no_writes = 0x8;
inline constexpr int eof_seen = 0x10;
inline constexpr int error_seen = 0x20;
inline constexpr int linked = 0x80;
inline constexpr int in_backup = 0x100; ///< what ungetc keeps is being read
inline constexpr int line_buffered = 0x200;
inline constexpr int putting = 0x800;
inline constexpr int appending = 0x1000;
inline constexpr int user_locks = 0x8000; ///< __fsetlocking(FSETLOCKING_BYCALLER)
} // namespace flag

inline bool has(const FILE* file, int flags) noexcept {
    return (file->_flags & flags) != 0;
}

inline const void* functions_of(const FILE* file) noexcept {
    const void* functions = nullptr;
    __builtin_memcpy(&functions, reinterpret_cast<const char*>(file) + sizeof(FILE),
                     sizeof functions);
    return functions;
}

/// A stream of bytes over an fd, whose buffers are used as glibc's fileops.c does. Not: wide ones,
/// those of fopencookie and fmemopen, mapped ones, and those of libc's own popen.
inline bool is_of_bytes(const FILE* file) noexcept {
    return functions_of(file) == _IO_file_jumps && file->_mode <= 0;
}

/// The same, of wide characters.
inline bool is_wide(const FILE* file) noexcept {
    return functions_of(file) == _IO_wfile_jumps && file->_mode > 0;
}

/// ungetc has put something aside, also where there was no buffer yet.
inline bool has_backup(const FILE* file) noexcept {
    return file->_IO_save_base != nullptr || has(file, flag::in_backup);
}

inline std::size_t readable(const FILE* file) noexcept {
    return file->_IO_read_ptr < file->_IO_read_end
               ? static_cast<std::size_t>(file->_IO_read_end - file->_IO_read_ptr)
               : 0;
}

/// Written by the program, not yet to the fd.
inline std::size_t pending(const FILE* file) noexcept {
    return file->_IO_write_ptr > file->_IO_write_base
               ? static_cast<std::size_t>(file->_IO_write_ptr - file->_IO_write_base)
               : 0;
}

inline std::size_t buffer_size(const FILE* file) noexcept {
    return static_cast<std::size_t>(file->_IO_buf_end - file->_IO_buf_base);
}

/// By this thread, which has the FILE's own lock: glibc's sysdeps/nptl/stdio-lock.h.
inline int times_locked(const FILE* file) noexcept {
    struct {
        int lock;
        int count;
        void* owner;
    } lock = {};
    __builtin_memcpy(&lock, file->_lock, sizeof lock);
    return lock.count;
}

} // namespace tendril::detail::stdio
