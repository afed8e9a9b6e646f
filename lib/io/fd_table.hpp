// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/spin_lock.hpp"
#include "fiber/record.hpp"
#include "reactor/reactor.hpp"

#include <atomic>
#include <cstdint>

namespace tendril::detail::io {

class hub_io;

/// One fiber's wait for one fd, in the list of a source; on the stack of the fiber that waits. The
/// entry's lock guards it while it is linked. Whoever unlinks it to wake its fiber must not touch
/// it after clearing `linked`: the fiber may be running already.
struct fd_waiter {
    fd_waiter* prev = nullptr;
    fd_waiter* next = nullptr;
    ticket who;
    std::uint32_t want = 0; ///< bits of `readiness`
    bool consumes = false;  ///< will take the readiness away; otherwise only looks, as poll does
    bool closed = false;    ///< out: the fd was closed, also if that was after an edge
    bool bound = false;     ///< only the description of before that many closings will do
    std::uint32_t closings = 0; ///< of the entry, when the wait began
    std::atomic<bool> linked{false};
};

/// What one hub has to do with one fd.
struct source {
    std::atomic<hub_io*> owner{nullptr};
    std::uint32_t generation = 0; ///< in the token; grows whenever the registration becomes another
    std::uint8_t watched = 0;     ///< the interest registered with the owner's reactor; 0: none

    /// `drained`, and which of rdhup, hup, err and pri were ever reported. Written on the owner's
    /// thread, cleared by whoever closes the fd.
    std::atomic<std::uint8_t> state{0};

    std::atomic<fd_waiter*> waiters{nullptr}; ///< circular, first in, first out
    std::atomic<source*> next{nullptr};       ///< the same fd on another hub; never unlinked

    source* following() const noexcept { return next.load(std::memory_order_acquire); }

    /// The last read proved that nothing was left, and no edge was reported since: the next one
    /// would only fetch EAGAIN. Valid only as long as nothing but `in` and `out` was ever seen:
    /// FIN that arrives with data, urgent data and errors give no further edge.
    static constexpr std::uint8_t drained = readiness::in;

    std::uint64_t token(int fd) const noexcept {
        return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
    }
};

enum class fd_kind : std::uint8_t {
    unknown,
    tcp,          ///< AF_INET or AF_INET6, SOCK_STREAM, IPPROTO_TCP
    stream,       ///< another SOCK_STREAM: bytes, a write may be partial
    message,      ///< SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW…: all or nothing
    not_a_socket, ///< takes RWF_NOWAIT, as far as is known
    file,         ///< likewise; a regular file, a directory or a block device
    disk,         ///< a file that refused RWF_NOWAIT
    read_nowait,  ///< refused RWF_NOWAIT to a write alone: eventfds
    polled,       ///< refused RWF_NOWAIT: FIFOs, pipes before Linux 6.5, many devices
    terminal
};

namespace trait {
inline constexpr std::uint8_t nonblock = 1; ///< the program wants EAGAIN
inline constexpr std::uint8_t hidden = 2;   ///< O_NONBLOCK is ours; the program does not know
inline constexpr std::uint8_t receive_timeout = 4;
inline constexpr std::uint8_t send_timeout = 8;
inline constexpr std::uint8_t receive_never = 16; ///< a negative timeout: EAGAIN at once
inline constexpr std::uint8_t send_never = 32;
} // namespace trait

/// What is known of one fd number; a cache line. What is cached here may be wrong, because fds
/// change behind our back: whoever relies on it must notice.
struct alignas(64) fd_entry {
    spin_lock lock; ///< guards the sources and their lists
    std::atomic<fd_kind> kind{fd_kind::unknown};
    std::atomic<std::uint8_t> traits{0};
    std::atomic<std::uint32_t> traits_epoch{0}; ///< when traits were read, in description epochs
    std::atomic<std::uint32_t> made_epoch{0};   ///< when this process made the socket; 0: unknown
    source first;                               ///< nearly always the only one

    /// How often the number was closed or replaced: counted under the lock, before that happens. A
    /// call that was waiting belongs to the description it began with, so it ends when this
    /// differs.
    std::atomic<std::uint32_t> closings{0};
};

/// All fds of the process: two levels, made as they are needed, never freed.
namespace fd_table {

inline constexpr int chunk_bits = 10;
inline constexpr std::uint32_t chunk_mask = (1U << chunk_bits) - 1;

extern std::atomic<std::atomic<fd_entry*>*> directory;

/// Null if nothing is known of fd.
inline fd_entry* find(int fd) noexcept {
    const auto* d = directory.load(std::memory_order_acquire);
    if (d == nullptr || fd < 0) {
        return nullptr;
    }
    const auto number = static_cast<std::uint32_t>(fd);
    fd_entry* chunk = d[number >> chunk_bits].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &chunk[number & chunk_mask];
}

/// Makes the entry. Null: fd is negative, or no memory. Only for fds that the kernel has accepted,
/// because a random number would cost 64 KiB.
fd_entry* at(int fd) noexcept;

/// Calls visit(context, fd, entry) for every entry that exists.
void for_each(void (*visit)(void* context, int fd, fd_entry& e), void* context) noexcept;

/// Withdraws fd from every hub, drops what `e` knows, and wakes who waits for it with wake::closed.
void forget(int fd, fd_entry& e) noexcept;

/// Has everybody who waits for fd try again, for a reason that the kernel does not report.
void nudge(fd_entry& e) noexcept;

/// In the child of a fork: as if no fd had ever been used. Also undoes locks that other threads
/// held.
void forked() noexcept;

/// False in the child of vfork(2) and of a raw clone: its memory may be the parent's.
bool ours() noexcept;

} // namespace fd_table

void link(source& s, fd_waiter& w) noexcept;
void unlink(source& s, fd_waiter& w) noexcept;

/// Takes `w` out of the list and ends its wait. False if that wait had ended already.
bool wake_waiter(source& s, fd_waiter& w, wake why) noexcept;

} // namespace tendril::detail::io
