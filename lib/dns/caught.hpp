// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <exception>
#include <system_error>

namespace tendril::detail::dns {

/// The errno that stands for what a look-up threw: no hub could be made, or a file not be read, for
/// want of fds or memory.
inline int errno_of(const std::exception& e) noexcept {
    const auto* error = dynamic_cast<const std::system_error*>(&e);
    return error != nullptr ? error->code().value() : ENOMEM;
}

} // namespace tendril::detail::dns
