// SPDX-License-Identifier: BSL-1.0
// Says which library it runs with and whether a shim is in the process; then one fiber waits for
// what another one writes, in libc's own read if that is shimmed.
#include <tendril/tendril.hpp>

#include <cstdio>
#include <dlfcn.h>
#include <unistd.h>

int main() {
    const bool shim = dlsym(RTLD_DEFAULT, "tendril_shim_attach_v1") != nullptr;
    int ends[2];
    if (pipe(ends) != 0) {
        return 1;
    }
    auto reader = tendril::spawn([&] {
        char byte = '-';
        shim ? ::read(ends[0], &byte, 1)
             : static_cast<ssize_t>(tendril::io::read(ends[0], &byte, 1));
        return byte;
    });
    tendril::spawn([&] { tendril::io::write(ends[1], "c", 1); });
    std::printf("%s %s %c++\n", tendril::version(), shim ? "shim" : "plain", reader.get());
}
