// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/error.hpp>
#include <tendril/export.hpp>

#include <vector>

namespace tendril {
inline namespace v1 {

/// Every fiber of the calling thread's hub that has not ended, the main fiber first, then in the
/// order of their ids. Does not wait or switch. Empty on a thread without a hub. To see another
/// hub's, ask there: `spawn(its_hub, {"inspector"}, tendril::fibers).get()`.
///
/// It costs nothing to be able to ask; asking takes a microsecond or two for each fiber, and reads
/// the symbols of the files that spawned some.
/// @throws std::bad_alloc
TENDRIL_EXPORT std::vector<fiber_info> fibers();

/// Writes what fibers() returns, a line for each fiber, by one write where the fd takes it whole.
/// Does not park the fiber: it blocks the thread while the fd has no room. Not for signal handlers.
/// @throws std::bad_alloc; std::system_error the errno of write(2).
TENDRIL_EXPORT void dump_fibers(int fd = 2);

} // namespace v1
} // namespace tendril
