// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tendril::detail {

enum class wait_kind : std::uint8_t {
    sleep,
    join,
    read,
    write,
    accept,
    connect,
    poll,
    dns,
    sync,
    other
};
inline constexpr std::size_t wait_kinds = 10;
const char* to_string(wait_kind kind) noexcept;

/// Which signal handlers end a wait with EINTR, as in signal(7).
enum class interruption : std::uint8_t { none, unless_restarted, always };

/// What a fiber waits for, for statistics and dumps: "recv fd 7", "sleep", "join #12",
/// "mutex 0x7f00c0de".
struct wait_reason {
    wait_kind kind = wait_kind::other;
    const char* what = "";
    std::int64_t arg = -1;        ///< appended when not negative; an fd where kind is of I/O
    const void* object = nullptr; ///< its address, appended when not null
    bool cancellable = true;      ///< cancellation and timeouts of the fiber end it
    bool owned = false;           ///< `object` begins with a word that says who holds it
    unsigned uncaught = 0;        ///< exceptions on their way when it began
    interruption by_signals = interruption::none;
    std::uint64_t since = 0; ///< with by_signals: the hub's switches() when it began
};
std::string to_string(const wait_reason& why);

/// In the word of an `owned` object: several hold it, and it does not say who.
inline constexpr std::uint64_t owned_by_several = 4;

} // namespace tendril::detail
