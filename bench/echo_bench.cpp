// SPDX-License-Identifier: BSL-1.0
// The servers of `echo`. Each prints its port and serves until it is killed.

#include "bench/support/echo_floor.hpp"

#include <string>

int main(int argc, char** argv) {
    const std::string impl = argc == 2 ? argv[1] : "";
    if (impl == "floor") {
        bench::echo_floor();
    }
    bench::usage(argv[0], "floor|tendril|shim");
}
