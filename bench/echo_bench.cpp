// SPDX-License-Identifier: BSL-1.0
// The servers of `echo`. Each prints its port and serves until it is killed.

#include "bench/support/echo.hpp"
#include "bench/support/echo_floor.hpp"

#include <tendril/fiber.hpp>
#include <tendril/io.hpp>

#include <string>
#include <system_error>

namespace {

namespace io = tendril::io;

void serve(int fd) {
    char buffer[bench::echo_buffer];
    try {
        std::size_t n = 0;
        while ((n = io::read(fd, buffer, sizeof buffer)) > 0) {
            io::write(fd, buffer, n);
        }
    } catch (const std::system_error&) { // a reset, when the load ends
    }
    io::close(fd);
}

[[noreturn]] void tendril_hub() {
    const int listener = bench::echo_listener(0);
    while (true) {
        tendril::spawn(serve, io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)).detach();
    }
}

// Written to block; under the preloaded shim these calls park the fiber that makes them.

void serve_blocking(int fd) {
    char buffer[bench::echo_buffer];
    ssize_t n = 0;
    while ((n = ::read(fd, buffer, sizeof buffer)) > 0) {
        if (::write(fd, buffer, static_cast<std::size_t>(n)) != n) {
            break;
        }
    }
    ::close(fd);
}

[[noreturn]] void shimmed() {
    const int listener = bench::echo_listener(0);
    tendril::spawn([listener] {
        while (true) {
            const int fd = ::accept(listener, nullptr, nullptr);
            if (fd < 0) {
                bench::fail("accept");
            }
            tendril::spawn(serve_blocking, fd).detach();
        }
    }).join();
    std::exit(1);
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc == 2 ? argv[1] : "";
    if (impl == "floor") {
        bench::echo_floor();
    } else if (impl == "tendril") {
        tendril_hub();
    } else if (impl == "shim") {
        shimmed();
    }
    bench::usage(argv[0], "floor|tendril|shim");
}
