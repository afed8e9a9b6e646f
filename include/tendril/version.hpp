// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

// lib/VERSION holds the version for the builds; a test keeps these equal to it.
#define TENDRIL_VERSION_MAJOR 0
#define TENDRIL_VERSION_MINOR 1
#define TENDRIL_VERSION_PATCH 0

/// The headers' version as one number that can be compared: 1.2.3 is 10203.
#define TENDRIL_VERSION                                                                            \
    (TENDRIL_VERSION_MAJOR * 10000 + TENDRIL_VERSION_MINOR * 100 + TENDRIL_VERSION_PATCH)

namespace tendril {
inline namespace v1 {

/// Returns the version of the library that is loaded, like "0.1.0". It differs from the headers'
/// TENDRIL_VERSION when a program runs with another library than it was compiled against.
/// Never waits; may be called from any thread, before and after main.
TENDRIL_EXPORT const char* version() noexcept;

} // namespace v1
} // namespace tendril
