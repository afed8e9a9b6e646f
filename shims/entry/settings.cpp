// SPDX-License-Identifier: BSL-1.0
#include "shims/deny.hpp"
#include "shims/entry/shim.hpp"
#include "shims/families.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace tendril::shim {

namespace {

// Going on would be worse: a program that is thought to wait in the hub, and does not.
[[noreturn]] void refuse(const char* variable, const char* value, std::size_t size,
                         const char* valid) noexcept {
    dprintf(STDERR_FILENO, "tendril: %s: there is no '%.*s'; valid are %s\n", variable,
            static_cast<int>(size), value, valid);
    _exit(2);
}

const char* value_of(const char* variable) noexcept {
    const char* const value = getenv(variable);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

/// Programs overwrite their environment when they set their title, as setproctitle(3bsd) does.
/// Mapped, because malloc may not be ready, or the program's own.
const char* kept(const char* value) noexcept {
    if (value == nullptr) {
        return nullptr;
    }
    const size_t size = strlen(value) + 1;
    void* const copy =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return copy != MAP_FAILED ? static_cast<const char*>(memcpy(copy, value, size)) : value;
}

engagement read_engagement(const char* value) noexcept {
    if (value == nullptr || strcmp(value, "none") == 0) {
        return engagement::none;
    }
    if (strcmp(value, "main") == 0) {
        return engagement::main;
    }
    if (strcmp(value, "all") == 0) {
        return engagement::all;
    }
    refuse("TENDRIL_ENGAGE", value, strlen(value), "main, all, none");
}

} // namespace

void read_settings() noexcept {
    setting.engage = read_engagement(value_of("TENDRIL_ENGAGE"));
    setting.stats = kept(value_of("TENDRIL_STATS"));
    if (const char* const value = value_of("TENDRIL_DEBUG")) {
        setting.debug = strcmp(value, "1") == 0;
        if (!setting.debug && strcmp(value, "0") != 0) {
            refuse("TENDRIL_DEBUG", value, strlen(value), "0, 1");
        }
    }

    if (const char* const value = value_of("TENDRIL_DENY")) {
        const deny_list list = parse_deny_list(value);
        if (list.wrong != nullptr) {
            refuse("TENDRIL_DENY", list.wrong, list.wrong_size, valid_deny_patterns);
        }
        setting.deny = kept(value);
    }
    if (const char* const value = value_of("TENDRIL_SHIM")) {
        const family_list list = parse_families(value);
        if (list.unknown != nullptr) {
            refuse("TENDRIL_SHIM", list.unknown, list.unknown_size, valid_families);
        }
        if (list.families == 0) {
            refuse("TENDRIL_SHIM", value, strlen(value), valid_families);
        }
        setting.families = list.families;
    }
}

} // namespace tendril::shim
