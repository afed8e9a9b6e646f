// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace demo {

/// Our own web site and our own DNS server, in a process of their own: fibers of one thread.
class site {
public:
    static constexpr const char* host = "site.tendril.test"; ///< what our DNS server knows
    static constexpr int answers_after_ms = 50;

    /// Starts the process. @throws std::system_error
    explicit site(int pages);
    ~site(); ///< ends it
    site(const site&) = delete;
    site& operator=(const site&) = delete;

    std::uint16_t http_port() const noexcept { return ports_.http; }
    std::uint16_t dns_port() const noexcept { return ports_.dns; }

private:
    struct ports {
        std::uint16_t http, dns;
    };
    [[noreturn]] static void serve(int pages, int report, int parent) noexcept;

    pid_t process_ = -1;
    int alive_ = -1; ///< closed when this process ends, by which the other one notices
    ports ports_{};
};

} // namespace demo
