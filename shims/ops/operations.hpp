// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "shims/ops.hpp"

/// The hub's side of every line of symbols.def, by file.
namespace tendril::detail::shim::ops {

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    type name parameters noexcept;
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    type name parameters noexcept;
#include "shims/symbols.def"

} // namespace tendril::detail::shim::ops
