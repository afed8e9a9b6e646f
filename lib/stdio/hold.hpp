// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "io/operations.hpp"

#include <cstdint>
#include <cstdio>

namespace tendril::detail::stdio {

/// One fiber's hold on a FILE. Fibers of a hub have it one after the other, first come first
/// served; other threads are kept out by the FILE's own lock, which belongs to the hub's thread
/// meanwhile, and so would let each of its fibers in.
///
/// Most operations do not switch, so nobody can meet them: a hold is entered in the hub's list only
/// by keep(), before what may switch. The list holds the holds themselves: nothing is left of a
/// FILE that nobody holds.
class stream_hold : private waiter {
public:
    /// `locks`: with the FILE's own lock, as all functions but the _unlocked ones.
    stream_hold(hub_core& hub, FILE* file, bool locks) noexcept
        : hub_(hub)
        , file_(file)
        , locks_(locks) {}
    ~stream_hold() { release(); }
    stream_hold(const stream_hold&) = delete;
    stream_hold& operator=(const stream_hold&) = delete;

    /// 0; -ECANCELED, if `cancellable`; -EBADF: the FILE was closed meanwhile.
    int acquire(io::options& o, bool cancellable) noexcept;
    bool try_acquire() noexcept;

    /// The fiber may switch from now on.
    void keep() noexcept {
        if (!kept_ && outer_ == nullptr) {
            keep_on();
        }
    }
    void release() noexcept;
    /// Instead of release(), before the FILE is closed: who waits for it gets -EBADF.
    void close() noexcept;

    // flockfile and funlockfile: the hold is on the heap.
    static stream_hold* for_program(hub_core& hub, FILE* file) noexcept; ///< null: no memory
    /// Of the running fiber, if it has one that is kept.
    static stream_hold* mine(hub_core& hub, const FILE* file) noexcept;
    void nest() noexcept { ++depth_; }
    /// To be deleted by the program's last one.
    bool leave() noexcept { return --depth_ == 0 && programs_; }

private:
    friend class holds;

    void keep_on() noexcept;
    int wait(stream_hold& holder, io::options& o, bool cancellable) noexcept;
    int acquire_slowly(io::options& o, bool cancellable) noexcept;
    int wait_for_threads(io::options& o, bool cancellable) noexcept;
    void pass_on() noexcept;
    void unlock() noexcept;

    hub_core& hub_;
    FILE* const file_;
    const bool locks_;
    bool locked_ = false; ///< the FILE's own lock is this thread's, because of this
    bool kept_ = false;
    bool programs_ = false;
    unsigned depth_ = 1;
    std::uint64_t owner_ = 0;
    stream_hold* outer_ = nullptr; ///< of the same fiber
    stream_hold* next_hold_ = nullptr;
    waiter* waiting_ = nullptr;
};

} // namespace tendril::detail::stdio
