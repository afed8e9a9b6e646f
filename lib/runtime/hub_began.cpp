// SPDX-License-Identifier: BSL-1.0
// What the layers above do when a thread's hub begins.
#include "hub/hub_core.hpp"
#include "hub/openssl_errors.hpp"
#include "shims/ops/attach.hpp"

namespace tendril::detail {

void hub_began(hub_core& hub) {
    shim::hub_began(hub);
    openssl::look(hub);
}

} // namespace tendril::detail
