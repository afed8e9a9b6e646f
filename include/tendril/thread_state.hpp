// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

namespace tendril {
inline namespace v1 {

/// What a library keeps per thread and each fiber should have of its own: a queue of errors, a
/// current locale, a current context. Three functions move it out of the thread and back.
///
/// They are called on the thread while it changes from one fiber to the next, on the stack of
/// either: they must not wait, throw, nor call Tendril, and need little stack. errno may change.
/// What the shim replaces goes to libc there.
struct thread_state {
    /// Takes the calling thread's state away, which is then that of a new thread. Null: there was
    /// none.
    void* (*take)(void* context);
    /// Gives the thread back what take() returned. Null, for a fiber that has none: the thread,
    /// from which the last fiber's was taken, is as new, and nothing need be done.
    void (*give)(void* context, void* state);
    /// The fiber that it was taken from has ended. Never null.
    void (*drop)(void* context, void* state);
    void* context; ///< for the library that registers
};

/// From now on, until the calling thread ends, each of its fibers has a state of its own. A fiber
/// begins without one; the calling fiber keeps what the thread has now. Makes the thread's hub if
/// it has none. Never waits. A thread's Boost.Fiber fibers share one. A fiber that is abandoned
/// loses its own without drop().
///
/// A switch on this thread then takes longer by what the functions take, and some 9 ns; on threads
/// where nothing is registered it costs nothing.
/// @returns false if just this is registered on this thread already.
/// @throws std::bad_alloc; std::system_error when the thread's hub cannot be made.
TENDRIL_EXPORT bool keep_per_fiber(const thread_state& state);

/// The same for the queue of errors of the OpenSSL (libcrypto.so.3 or .so.1.1) that is in the
/// process: ERR_get_error() in one fiber then knows nothing of what failed in another. Under the
/// shim nobody need call it: the shim looks when a hub begins, and when fibers connect or accept.
/// Otherwise call it on each thread once OpenSSL is in use.
/// @returns whether each fiber has its own now; false without OpenSSL, before anybody has used it,
///     or with one that keeps it in another way.
/// @throws as keep_per_fiber()
TENDRIL_EXPORT bool keep_openssl_errors_per_fiber();

} // namespace v1
} // namespace tendril
