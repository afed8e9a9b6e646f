// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "stdio/stream.hpp"

#include <cwchar>

/// Streams of wide characters have bytes behind these, and libc alone knows how one becomes the
/// other. It does that on a copy of the FILE: to read, one without an fd, so that it takes only
/// what is there; to write, one with an fd that takes everything at once. The hub reads and writes.
namespace tendril::detail::stdio {

/// What comes first in glibc's struct _IO_wide_data (libio/libio.h), since glibc 2.2.
struct wide_area {
    wchar_t* read_ptr;
    wchar_t* read_end;
    wchar_t* read_base;
    wchar_t* write_base;
    wchar_t* write_ptr;
    wchar_t* write_end;
};

inline wide_area& wide_area_of(const FILE* file) noexcept {
    return *reinterpret_cast<wide_area*>(file->_wide_data);
}

/// Over an fd that may wait, and from now on of wide characters. False: that is libc's business.
bool becomes_wide(stream& s) noexcept;

/// Leaves a character in the buffer; false: the end, or an error.
bool refill_wide(stream& s) noexcept;

inline wint_t get_wide(stream& s) noexcept {
    wide_area& area = wide_area_of(s.file());
    return area.read_ptr < area.read_end || refill_wide(s) ? static_cast<wint_t>(*area.read_ptr++)
                                                           : WEOF;
}

/// fgetws; __fgetws_chk, which ends the program when there are more than `limit`.
wchar_t* get_wide_line(stream& s, wchar_t* to, int room, std::size_t limit = SIZE_MAX) noexcept;

/// A FILE in place of another, that has `fd`.
class wide_copy {
public:
    wide_copy(FILE* file, int fd) noexcept;
    ~wide_copy();
    wide_copy(const wide_copy&) = delete;
    wide_copy& operator=(const wide_copy&) = delete;
    FILE* file() noexcept { return &copy_.file; }

private:
    FILE* const file_;
    struct {
        FILE file;
        const void* functions;
    } copy_;
};

int open_sink() noexcept; ///< -1: there is none
/// Writes what is in it, and closes it. False: not all was written, with errno set.
bool drain(stream& s, int sink) noexcept;

/// `put(file)`: what libc does to write wide characters. `failed`: they could not be written.
template <typename Result, typename Put>
Result put_wide(stream& s, Result failed, Put put) noexcept {
    const int sink = open_sink();
    if (sink < 0) {
        return put(s.file());
    }
    Result result{};
    {
        wide_copy copy(s.file(), sink);
        result = put(copy.file());
    }
    return drain(s, sink) ? result : failed;
}

} // namespace tendril::detail::stdio
