// SPDX-License-Identifier: BSL-1.0
#pragma once

// The file that TENDRIL_STATS names, written by the shim, or by libtendril in a process without
// one. Needs only libc, allocates nothing: it runs at the end of the process.

#include "shims/names.hpp"
#include "shims/ops.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace tendril::shim {

class text {
public:
    text(char* begin, std::size_t room) noexcept
        : begin_(begin)
        , room_(room) {}

    [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) noexcept {
        va_list arguments;
        va_start(arguments, format);
        const int n = vsnprintf(begin_ + size_, room_ - size_, format, arguments);
        va_end(arguments);
        if (n > 0) {
            size_ += static_cast<std::size_t>(n);
            size_ = size_ < room_ ? size_ : room_ - 1;
        }
    }
    const char* data() const noexcept { return begin_; }
    std::size_t size() const noexcept { return size_; }

private:
    char* begin_;
    std::size_t room_;
    std::size_t size_ = 0;
};

/// `calls` null: nothing is known of single functions; `threads` 0: nor of threads.
inline void format_statistics(text& out, const tendril_shim_numbers& numbers,
                              const tendril_shim_counter* calls, unsigned threads) noexcept {
    out.add("{\"fibers\":%" PRIu64 ",\"switches\":%" PRIu64 ",\"waits\":{", numbers.fibers,
            numbers.switches);
    for (int i = 0; i < tendril_shim_wait_kinds && numbers.wait_name[i] != nullptr; ++i) {
        out.add("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", numbers.wait_name[i], numbers.waits[i]);
    }
    out.add("},\"os_threads_max\":");
    if (threads == 0) {
        out.add("null");
    } else {
        out.add("%u", threads);
    }
    out.add(",\"functions\":{");
    for (std::size_t i = 0; calls != nullptr && i < tendril_shim_functions; ++i) {
        const tendril_shim_counter& c = calls[i];
        out.add("%s\n\"%s\":{\"waited\":%" PRIu64 ",\"at_once\":%" PRIu64
                ",\"passed_through\":%" PRIu64 "}",
                i == 0 ? "" : ",", function_name(i), __atomic_load_n(&c.waited, __ATOMIC_RELAXED),
                __atomic_load_n(&c.at_once, __ATOMIC_RELAXED),
                __atomic_load_n(&c.passed_through, __ATOMIC_RELAXED));
    }
    out.add("}}\n");
}

inline bool expand_file_name(text& out, const char* pattern) noexcept {
    for (const char* c = pattern; *c != '\0'; ++c) {
        if (c[0] == '%' && c[1] == 'p') {
            out.add("%ld", static_cast<long>(getpid()));
            ++c;
        } else {
            out.add("%c", *c);
        }
    }
    return out.size() < 4095;
}

/// `write_original` and `close_original` are libc's own: by now nobody may wait in a hub.
inline void write_statistics(const char* pattern, const tendril_shim_numbers& numbers,
                             const tendril_shim_counter* calls, unsigned threads,
                             ssize_t (*write_original)(int, const void*, std::size_t),
                             int (*close_original)(int)) noexcept {
    static char content[(tendril_shim_functions + 40) * 160];
    static char name[4096];
    text out(content, sizeof content);
    format_statistics(out, numbers, calls, threads);
    text file(name, sizeof name);
    errno = ENAMETOOLONG;
    const int fd = expand_file_name(file, pattern)
                       ? ::open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                       : -1;
    if (fd < 0 || write_original(fd, out.data(), out.size()) != static_cast<ssize_t>(out.size())) {
        dprintf(STDERR_FILENO,
                "tendril: TENDRIL_STATS: %s: %s; valid is the name of a file that can be written\n",
                name, strerror(errno));
    }
    if (fd >= 0) {
        close_original(fd);
    }
}

} // namespace tendril::shim
