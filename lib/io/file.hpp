// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "io/operations.hpp"
#include "offload/offload.hpp"

#include <fcntl.h>
#include <memory>
#include <new>
#include <optional>

namespace tendril::detail::io {

/// A regular file or a block device, for which nothing tells when it is ready.
bool is_on_disk(int fd) noexcept;

/// A file of /proc and the like, which no disk stands behind.
bool is_in_memory(int fd) noexcept;

/// The next byte that is written would be the first past RLIMIT_FSIZE, which raises SIGXFSZ.
/// `offset`: where the last transfer that gave one ended; else the fd's position counts.
bool is_at_size_limit(int fd, std::optional<off_t> offset = std::nullopt) noexcept;

/// A call that takes as long as a disk does, on a worker thread, unless nothing else would run here
/// meanwhile. Nothing ends the wait, for the call uses the caller's memory.
template <typename Call>
auto on_disk(hub_core& hub, const wait_reason& why, options& o, Call call) noexcept
    -> decltype(call()) {
    if (hub.has_nothing_else()) {
        return call();
    }
    struct state {
        Call call;
        decltype(call()) result;
    };
    wait_reason patient = why;
    patient.cancellable = false;
    o.waited = true;
    try {
        const auto s = std::make_shared<state>(state{call, {}});
        offload_with(
            s, [](state& work) { work.result = work.call(); }, patient);
        return s->result;
    } catch (const std::bad_alloc&) {
        return call();
    }
}

// --- files: namesakes in section 2 of the manual, with the rules of io/operations.hpp ------------
/// Only the opening of a FIFO waits in the hub.
int openat(int folder, const char* path, int flags, mode_t mode, options& o) noexcept;
int fsync(int fd, options& o) noexcept;
int fdatasync(int fd, options& o) noexcept;
int syncfs(int fd, options& o) noexcept;
void sync(options& o) noexcept;

/// They try again and again, at most 20 ms apart: a thread in the system call could not give up,
/// and would take the lock for nobody. While nothing else runs here the system call waits itself.
int flock(int fd, int operation, options& o) noexcept;
/// fcntl(2): F_SETLKW or F_OFD_SETLKW.
int set_lock(int fd, int command, struct ::flock* lock, options& o) noexcept;

} // namespace tendril::detail::io
