// SPDX-License-Identifier: BSL-1.0
// As many fibers as names, each looks one up at a server that takes its time (TENDRIL_NAMESERVERS).

#include "bench/support/measure.hpp"

#include <tendril/dns.hpp>
#include <tendril/fiber.hpp>

#include <string>
#include <vector>

#include <netdb.h>

namespace {

// With a final dot, so that no search domain of this machine comes into it.
std::string name_of(int i) {
    return "host" + std::to_string(i) + ".bench.test.";
}

bool by_tendril(int i) {
    tendril::dns::options how;
    how.family = tendril::dns::family::ipv4;
    return tendril::dns::resolve(name_of(i), "80", how).begin()->text() == "192.0.0.1:80";
}

// Written to block; under the preloaded shim it parks the fiber.
bool by_getaddrinfo(int i) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* result = nullptr;
    const bool good = ::getaddrinfo(name_of(i).c_str(), "80", &hints, &result) == 0;
    if (good) {
        ::freeaddrinfo(result);
    }
    return good;
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc == 3 ? argv[1] : "";
    const int names = argc == 3 ? std::atoi(argv[2]) : 0;
    if (names < 1 || (impl != "tendril" && impl != "shim")) {
        bench::usage(argv[0], "tendril|shim NAMES");
    }
    bool (*look_up)(int) = impl == "tendril" ? by_tendril : by_getaddrinfo;
    const std::int64_t begin = bench::now_ns();
    const std::int64_t cpu = bench::cpu_ns();
    std::vector<tendril::fiber<bool>> fibers;
    for (int i = 0; i < names; ++i) {
        fibers.push_back(tendril::spawn(look_up, i));
    }
    int found = 0;
    for (auto& f : fibers) {
        found += f.get() ? 1 : 0;
    }
    if (found != names) {
        std::fprintf(stderr, "only %d of %d names were found\n", found, names);
        return 1;
    }
    bench::report("wall", static_cast<double>(bench::now_ns() - begin) / 1e6, "ms");
    bench::report("cpu", static_cast<double>(bench::cpu_ns() - cpu) / 1e6, "ms");
}
