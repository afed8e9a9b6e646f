// SPDX-License-Identifier: BSL-1.0
#pragma once

// The families of TENDRIL_SHIM and `tendril run --shim=`, read by both. Needs only libc.

#include <cstddef>
#include <cstring>

namespace tendril::shim {

enum family : unsigned {
    family_always = 0, ///< bookkeeping for the others, never off
    family_socket = 1,
    family_time = 2,
    family_poll = 4,
    family_dns = 8,
    family_file = 16,
    family_process = 32,
    family_signal = 64,
    family_stdio = 512,
    // No function belongs to these yet; naming them is valid and changes nothing.
    family_sync = 128,
    family_thread = 256,
};

inline constexpr struct {
    const char* name;
    family bit;
    bool covers_nothing_yet;
} family_names[] = {
    {"socket", family_socket, false}, {"time", family_time, false},
    {"poll", family_poll, false},     {"dns", family_dns, false},
    {"file", family_file, false},     {"process", family_process, false},
    {"signal", family_signal, false}, {"stdio", family_stdio, false},
    {"sync", family_sync, true},      {"thread", family_thread, true},
};

inline constexpr char valid_families[] = "socket, time, poll, dns, file, process, signal, stdio, "
                                         "and (covering nothing yet) sync, thread";

struct family_list {
    unsigned families = 0;
    const char* unknown = nullptr; ///< the first name that is none
    std::size_t unknown_size = 0;
};

/// Names between commas; empty ones count for nothing.
inline family_list parse_families(const char* text) noexcept {
    family_list list;
    for (const char* name = text;; ++name) {
        const std::size_t size = strcspn(name, ",");
        bool known = size == 0;
        for (const auto& each : family_names) {
            if (strlen(each.name) == size && memcmp(each.name, name, size) == 0) {
                list.families |= each.bit;
                known = true;
            }
        }
        if (!known && list.unknown == nullptr) {
            list.unknown = name;
            list.unknown_size = size;
        }
        name += size;
        if (*name == '\0') {
            return list;
        }
    }
}

} // namespace tendril::shim
