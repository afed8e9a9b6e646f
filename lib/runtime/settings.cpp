// SPDX-License-Identifier: BSL-1.0
#include "runtime/settings.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tendril::detail {
namespace {

void read_milliseconds(const char* variable, std::chrono::milliseconds& value) {
    const char* text = std::getenv(variable);
    if (text == nullptr) {
        return;
    }
    const char* end = text + std::strlen(text);
    int number = 0;
    const auto [rest, error] = std::from_chars(text, end, number);
    if (error != std::errc() || rest != end || number < 0) {
        std::fprintf(stderr, "tendril: %s=%s is not valid: a number of milliseconds, 0 or more\n",
                     variable, text);
        return;
    }
    value = std::chrono::milliseconds(number);
}

void read_guard(const char* variable, guard_method& value) {
    const char* text = std::getenv(variable);
    if (text == nullptr) {
        return;
    }
    if (std::strcmp(text, "kernel") == 0) {
        value = guard_method::kernel;
    } else if (std::strcmp(text, "mprotect") == 0) {
        value = guard_method::mprotect;
    } else if (std::strcmp(text, "canary") == 0) {
        value = guard_method::canary;
    } else {
        std::fprintf(stderr, "tendril: %s=%s is not valid: kernel, mprotect or canary\n", variable,
                     text);
    }
}

} // namespace

const runtime_settings& settings() {
    static const runtime_settings read = [] {
        runtime_settings s;
        read_milliseconds("TENDRIL_EXIT_GRACE_MS", s.exit_grace);
        read_guard("TENDRIL_GUARD", s.guard);
        return s;
    }();
    return read;
}

} // namespace tendril::detail
