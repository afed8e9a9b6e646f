// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "stdio/fields.hpp"
#include "stdio/hold.hpp"

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <sys/types.h>

/// stdio's functions over streams whose fd may let them wait (pipes, sockets, terminals): the
/// FILE's buffers are used as glibc uses them, so that both may take turns; what glibc would read
/// and write, the hub does. Regular files are left to glibc.
///
/// Results, flags and errno are those of the functions of stdio(3).
namespace tendril::detail::stdio {

/// One operation of the running fiber on a FILE.
class stream {
public:
    /// `locks`: as the function does without _unlocked.
    stream(hub_core& hub, FILE* file, bool locks, io::options& o) noexcept
        : hub_(hub)
        , options_(o)
        , file_(file)
        , hold_(hub, file, locks && !has(file, flag::user_locks)) {
        o.as_program = true;
    }

    /// False with errno set: it does not have the FILE.
    bool acquire(bool cancellable = true) noexcept {
        const int error = hold_.acquire(options_, cancellable);
        if (error != 0) [[unlikely]] {
            errno = -error;
        }
        return error == 0;
    }
    bool try_acquire() noexcept { return hold_.try_acquire(); }

    FILE* file() const noexcept { return file_; }
    hub_core& hub() noexcept { return hub_; }
    io::options& options() noexcept { return options_; }
    stream_hold& hold() noexcept { return hold_; }

    /// False: reading from and writing to it is libc's business.
    bool may_wait() const noexcept;

    /// read(2) and write(2) in the hub; -1 with errno set.
    ssize_t read(void* to, std::size_t size) noexcept;
    ssize_t write(const void* from, std::size_t size) noexcept;

private:
    hub_core& hub_;
    io::options& options_;
    FILE* const file_;
    stream_hold hold_;
};

// --- input ---------------------------------------------------------------------------------------
/// Leaves something in the buffer; false: the end, or an error.
bool refill(stream& s) noexcept;

inline int get_char(stream& s) noexcept {
    FILE* const f = s.file();
    return readable(f) != 0 || refill(s) ? static_cast<unsigned char>(*f->_IO_read_ptr++) : EOF;
}

/// glibc writes out what is on the screen's last line before it waits for the keyboard.
void flush_screen(stream& s) noexcept;

std::size_t get_bytes(stream& s, void* to, std::size_t size) noexcept;

/// At most `size` bytes, up to and with `end`.
std::size_t get_until(stream& s, char* to, std::size_t size, int end) noexcept;

/// fgets; __fgets_chk, which ends the program when there is more than `limit`.
char* get_line(stream& s, char* to, int room, std::size_t limit = SIZE_MAX) noexcept;
char* get_whole_line(stream& s, char* to, std::size_t limit = SIZE_MAX) noexcept; ///< gets
ssize_t get_delimited(stream& s, char** to, std::size_t* room, int end) noexcept;

using scanner = int (*)(FILE* file, const char* format, va_list list);
/// What libc's `scan` makes of it.
int scan(stream& s, scanner scan, const char* format, va_list list) noexcept;

// --- output --------------------------------------------------------------------------------------
/// All bytes were taken, but not written: fwrite calls that a success, as glibc's does.
inline constexpr std::size_t taken_but_lost = SIZE_MAX;
/// How many bytes were taken, or that.
std::size_t put_bytes(stream& s, const void* from, std::size_t size) noexcept;
int put_char(stream& s, int c) noexcept;

/// Writes what is in the buffer. False: failed, and that is lost, as with glibc.
bool flush(stream& s) noexcept;
bool flush_wide(stream& s) noexcept; ///< of a stream that is_wide()

} // namespace tendril::detail::stdio
