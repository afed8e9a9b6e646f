// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "io/operations.hpp"

#include <sys/resource.h>
#include <sys/wait.h>

namespace tendril::detail::process {

/// wait4(2) and waitid(2), which park the calling fiber where they would block the thread. They
/// return what their namesakes do, or -errno; -ECANCELED when the fiber was cancelled: the child is
/// as it was. `options` as in io/operations.hpp.
///
/// For the end of one child there is an fd to wait for. For anything else (any child, a group,
/// stops, what a debugger sees) a worker thread asks; where nothing else could run meanwhile, the
/// call is made as it is.
int wait4(pid_t pid, int* status, int flags, rusage* usage, io::options& o) noexcept;
int waitid(idtype_t type, id_t id, siginfo_t* info, int flags, io::options& o) noexcept;

} // namespace tendril::detail::process
