// SPDX-License-Identifier: BSL-1.0
#include "hub/foreign_call.hpp"

namespace tendril::detail {

thread_local constinit const void** shim_slot [[gnu::tls_model("initial-exec")]] = nullptr;

} // namespace tendril::detail
