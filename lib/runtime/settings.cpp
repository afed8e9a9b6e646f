// SPDX-License-Identifier: BSL-1.0
#include "runtime/settings.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tendril::detail {
namespace {

/// Null if it is not set, or empty, which is the same.
const char* value_of(const char* variable) {
    const char* const text = std::getenv(variable);
    return text != nullptr && *text != '\0' ? text : nullptr;
}

void refuse(const char* variable, const char* text, const char* valid) {
    std::fprintf(stderr, "tendril: %s=%s is not valid: %s\n", variable, text, valid);
}

void read_milliseconds(const char* variable, std::chrono::milliseconds& value) {
    const char* text = value_of(variable);
    if (text == nullptr) {
        return;
    }
    const char* end = text + std::strlen(text);
    int number = 0;
    const auto [rest, error] = std::from_chars(text, end, number);
    if (error != std::errc() || rest != end || number < 0) {
        refuse(variable, text, "a number of milliseconds, from 0 to 2147483647");
        return;
    }
    value = std::chrono::milliseconds(number);
}

void read_guard(const char* variable, guard_method& value) {
    const char* text = value_of(variable);
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
        refuse(variable, text, "kernel, mprotect or canary");
    }
}

} // namespace

const runtime_settings& settings() {
    static const runtime_settings read = [] {
        runtime_settings s;
        read_milliseconds("TENDRIL_EXIT_GRACE_MS", s.exit_grace);
        read_milliseconds("TENDRIL_BLOCKED", s.blocked);
        read_guard("TENDRIL_GUARD", s.guard);
        return s;
    }();
    return read;
}

} // namespace tendril::detail
