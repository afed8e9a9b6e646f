// SPDX-License-Identifier: BSL-1.0
// Says which library it runs with, and whether a shim is in the process.
#include <tendril/version.hpp>

#include <dlfcn.h>

#include <cstdio>

int main() {
    const bool shim = dlsym(RTLD_DEFAULT, "tendril_shim_attach_v1") != nullptr;
    std::printf("%s %s\n", tendril::version(), shim ? "shim" : "plain");
}
