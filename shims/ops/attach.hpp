// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::detail {

class hub_core;

namespace shim {

/// To be called on the thread whose hub has just begun: from now on that thread's blocking calls
/// come to the operations, if a shim is in the process and serves this copy of the library. Another
/// copy's thread is left to libc, with a message. The thread's end undoes it by itself. Throws
/// std::bad_alloc, and then nothing has changed.
void hub_began(hub_core& hub);

/// Calls of that name reach this copy of the library, or would on a thread that has a hub.
bool is_shimmed(const char* name) noexcept;

/// libc's function behind the shim's, or, without a shim, what calls of that name reach. Null if
/// there is none.
void* real_function(const char* name) noexcept;

} // namespace shim
} // namespace tendril::detail
