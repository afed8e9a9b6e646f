// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace tendril::detail {

/// State that an upper layer keeps per hub (io, dns), and what it must do at the two moments that
/// only the hub knows of.
class hub_extension {
public:
    virtual ~hub_extension() = default;
    virtual void forked() {}          ///< in the child, on the hub of the forking thread
    virtual void ending() noexcept {} ///< the thread ends; no fiber of it will run again
};

enum class extension_slot : std::uint8_t { io, stdio, dns, shim };
inline constexpr std::size_t extension_slots = 4;

} // namespace tendril::detail
