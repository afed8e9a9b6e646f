// SPDX-License-Identifier: BSL-1.0
#include "screen.hpp"

#include <tendril/real.hpp>

#include <cstdio>
#include <unistd.h>
#include <utility>

namespace demo {

namespace {

constexpr int bar_width = 30;

void print_row(const char* name, const figures& f, double speed_up) {
    std::printf("%-22s %7d %9.2f %12d %9.1f MiB %9.1fx\n", name, f.pages, f.seconds, f.threads,
                static_cast<double>(f.peak_kib) / 1024, speed_up);
}

} // namespace

progress_line::progress_line(std::string title)
    : title_(std::move(title))
    , terminal_(isatty(STDOUT_FILENO) != 0) {
    if (terminal_) {
        update(0, 1);
    }
}

void progress_line::update(int done, int known) {
    if (!terminal_) {
        return;
    }
    const int filled = done * bar_width / known;
    char line[160];
    const int size =
        std::snprintf(line, sizeof line, "\r%-36s [%.*s%*s] %d of %d\033[K", title_.c_str(), filled,
                      "##############################", bar_width - filled, "", done, known);
    // A terminal may let its writers wait, so for fibers a thread of Tendril's would write there;
    // the demo wants to show that it needs none.
    tendril::real::fwrite(line, 1, static_cast<std::size_t>(size), stdout);
    tendril::real::fflush(stdout);
}

void progress_line::finish(const figures& f) {
    if (terminal_) {
        update(f.pages + f.failed, f.pages + f.failed);
        std::printf(", %.2f s\n", f.seconds);
    } else {
        std::printf("%-36s %d pages, %.2f s\n", title_.c_str(), f.pages, f.seconds);
    }
    std::fflush(stdout);
}

void print_table(const figures& sequential, const figures& concurrent) {
    std::printf("\n%-22s %7s %9s %12s %13s %10s\n", "", "pages", "seconds", "OS threads",
                "peak RSS", "speed-up");
    print_row("one after the other", sequential, 1);
    print_row("in fibers", concurrent, sequential.seconds / concurrent.seconds);
}

void print_waits(const tendril::hub_statistics& hub) {
    const auto print = [](const char* name, std::uint64_t count) {
        if (count != 0) {
            std::printf(" %s %llu", name, static_cast<unsigned long long>(count));
        }
    };
    std::printf("\nIts blocking calls waited in the hub:");
    print("getaddrinfo", hub.waits.dns);
    print("connect", hub.waits.connect);
    print("write", hub.waits.write);
    print("read", hub.waits.read);
    std::printf("; switches %llu\n", static_cast<unsigned long long>(hub.switches));
}

void print_failures(const figures& f) {
    for (const std::string& each : f.failures) {
        std::printf("  %s\n", each.c_str());
    }
    if (f.failed > static_cast<int>(f.failures.size())) {
        std::printf("  and %d more\n", f.failed - static_cast<int>(f.failures.size()));
    }
}

} // namespace demo
