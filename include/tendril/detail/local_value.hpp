// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

#include <cstdint>

namespace tendril {
namespace detail {

/// A value that a fiber keeps until it ends.
struct local_value {
    virtual ~local_value() = default;
};

TENDRIL_EXPORT std::uint64_t new_local_key() noexcept; ///< never 0, never used again
/// The calling fiber's value for the key, or null.
TENDRIL_EXPORT local_value* find_local(std::uint64_t key) noexcept;
/// Takes over the value, which may be null, and ends the one there was. May throw std::bad_alloc;
/// then the value has ended too.
TENDRIL_EXPORT void set_local(std::uint64_t key, local_value* value);

} // namespace detail
} // namespace tendril
