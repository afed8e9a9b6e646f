// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "hub/wait_reason.hpp"

#include <sys/wait.h>

namespace tendril::detail::process {

/// Which children, and what of them: the arguments of waitid(2).
struct selection {
    idtype_t type;
    id_t id;
    int options;
    friend bool operator==(const selection&, const selection&) = default;
};

/// Parks until waitid(selection) would not wait: 0. A worker thread asks the kernel with WNOWAIT,
/// which leaves the child for the caller; fibers with the same question share it. One whose fibers
/// have given up stays until something happens to one of those children, and is found again by who
/// asks the same. -ETIMEDOUT, -EINTR, -ECANCELED; -ENOMEM, -EAGAIN: there is no thread to be had.
int wait_for_change(hub_core& hub, const selection& of, const wait_reason& why,
                    time_point deadline) noexcept;

} // namespace tendril::detail::process
