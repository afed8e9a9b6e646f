// SPDX-License-Identifier: BSL-1.0
#pragma once

// The patterns of TENDRIL_DENY and `tendril run --deny=`, read by both. Needs only libc: the
// functions for this there allocate, and ask the locale.

#include <cstddef>
#include <cstring>

namespace tendril::shim {

inline constexpr char valid_deny_patterns[] =
    "names of files without their folders, in which * stands for any text, with commas";

struct deny_list {
    const char* wrong = nullptr; ///< the first that cannot be one, or that is empty
    std::size_t wrong_size = 0;
};

inline deny_list parse_deny_list(const char* text) noexcept {
    for (const char* name = text;; ++name) {
        const std::size_t size = strcspn(name, ",");
        if (size == 0 || memchr(name, '/', size) != nullptr) {
            return {name, size};
        }
        name += size;
        if (*name == '\0') {
            return {};
        }
    }
}

/// Goes back to the last star when what follows it does not match.
inline bool matches(const char* pattern, std::size_t size, const char* name) noexcept {
    const char* const end = pattern + size;
    const char* star = nullptr;
    const char* after_star = nullptr;
    while (*name != '\0') {
        if (pattern != end && *pattern == '*') {
            star = ++pattern;
            after_star = name;
        } else if (pattern != end && *pattern == *name) {
            ++pattern;
            ++name;
        } else if (star != nullptr) {
            pattern = star;
            name = ++after_star;
        } else {
            return false;
        }
    }
    while (pattern != end && *pattern == '*') {
        ++pattern;
    }
    return pattern == end;
}

/// Any of the patterns of a valid list.
inline bool matches_any(const char* patterns, const char* name) noexcept {
    for (;; ++patterns) {
        const std::size_t size = strcspn(patterns, ",");
        if (matches(patterns, size, name)) {
            return true;
        }
        patterns += size;
        if (*patterns == '\0') {
            return false;
        }
    }
}

} // namespace tendril::shim
