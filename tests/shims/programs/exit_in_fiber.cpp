// SPDX-License-Identifier: BSL-1.0
// Ends the process from a fiber while another one waits for ever.
#include <tendril/fiber.hpp>

#include <cstdlib>
#include <unistd.h>

int main() {
    int p[2];
    if (pipe(p) != 0) {
        return 1;
    }
    auto reader = tendril::spawn([&] {
        char byte;
        return read(p[0], &byte, 1);
    });
    tendril::spawn([] {
        usleep(1000);
        std::exit(5);
    }).join();
    return 2;
}
