// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>

namespace tendril::detail::stdio {

class stream;

/// What scanf reads from, in place of the program's FILE. Making one costs more than most scans.
struct scan_stream {
    scan_stream() noexcept; ///< `file` null: no memory
    ~scan_stream();
    scan_stream(const scan_stream&) = delete;
    scan_stream& operator=(const scan_stream&) = delete;

    FILE* file;
    stream* from = nullptr; ///< while one scans
    int error = 0;          ///< that ended its input

private:
    char buffer_[512];
};

} // namespace tendril::detail::stdio
