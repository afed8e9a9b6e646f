// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#if !defined(__x86_64__)
#include <time.h>
#endif

namespace tendril::detail {

/// A counter cheap enough to be read every few switches, and about how much it grows in a
/// millisecond (within a factor of two or three: it only decides when to look at the real clock).
#if defined(__x86_64__)
inline std::uint64_t cycle_counter() noexcept {
    return __builtin_ia32_rdtsc();
}
inline constexpr std::uint64_t cycles_per_millisecond = 2'500'000;
#else
inline std::uint64_t cycle_counter() noexcept {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(t.tv_nsec);
}
inline constexpr std::uint64_t cycles_per_millisecond = 1'000'000;
#endif

} // namespace tendril::detail
