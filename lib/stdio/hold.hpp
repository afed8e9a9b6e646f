// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/single_threaded.hpp"
#include "hub/hub_core.hpp"
#include "io/operations.hpp"
#include "stdio/scan_stream.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>

namespace tendril::detail::stdio {

/// One fiber's hold on a FILE. Fibers of a hub have it one after the other, first come first
/// served; other threads are kept out by the FILE's own lock, which belongs to the hub's thread
/// meanwhile, and so would let each of its fibers in. When they have passed that on for a while,
/// the next one gives other threads a chance to take it.
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

    /// For what another thread does to the FILE meanwhile, with the FILE's own lock. After keep().
    /// False: this thread has that for longer.
    bool lend() noexcept;
    void take_back(io::options& o) noexcept;

    /// Before close(): who waits for the FILE gets -EBADF, and so does its holder from what it
    /// reads and writes. -EBADF: another closes it.
    int acquire_to_close(io::options& o) noexcept;
    /// Another fiber waits to close it.
    bool is_closing() const noexcept { return (outer_ != nullptr ? outer_ : this)->closing_; }
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

    void enter() noexcept;
    void keep_on() noexcept;
    int wait(stream_hold& holder, io::options& o, bool cancellable) noexcept;
    int acquire_slowly(io::options& o, bool cancellable) noexcept;
    int step_aside(io::options& o, bool cancellable) noexcept;
    int wait_for_threads(io::options& o, bool cancellable) noexcept;
    std::chrono::microseconds pause_for_others() noexcept;
    void pass_on() noexcept;
    void dismiss() noexcept;
    void unlock() noexcept;

    hub_core& hub_;
    FILE* const file_;
    const bool locks_;
    bool locked_ = false; ///< the FILE's own lock is this thread's, because of this
    bool kept_ = false;
    bool programs_ = false;
    bool closing_ = false;
    unsigned depth_ = 1;
    std::uint64_t owner_ = 0;
    stream_hold* outer_ = nullptr; ///< of the same fiber
    stream_hold* next_hold_ = nullptr;
    waiter* waiting_ = nullptr;
    std::chrono::microseconds aside_{}; ///< before it takes the FILE's own lock
    time_point passed_on_since_{};      ///< fiber to fiber, with the FILE's own lock
};

/// Those of a hub that are kept.
class holds final : public hub_extension {
public:
    static stream_hold* first(hub_core& hub) noexcept {
        const auto& slot = hub.extension(extension_slot::stdio);
        return slot != nullptr ? static_cast<holds&>(*slot).first_ : nullptr;
    }
    static stream_hold* find(hub_core& hub, const FILE* file) noexcept;
    static bool enter(hub_core& hub, stream_hold& h) noexcept; ///< false: no memory
    static void remove(hub_core& hub, stream_hold& h) noexcept;

    /// Where a hub's fibers leave what they scan with for the next; null: nobody has waited yet.
    static std::unique_ptr<scan_stream>* spare(hub_core& hub) noexcept {
        const auto& slot = hub.extension(extension_slot::stdio);
        return slot != nullptr ? &static_cast<holds&>(*slot).spare_ : nullptr;
    }

    // In the child of a fork the other fibers do not go on, so nobody else gives theirs back.
    void forked() override { drop_all_but(hub_.running_id()); }
    void ending() noexcept override { drop_all_but(0); }

private:
    explicit holds(hub_core& hub) noexcept
        : hub_(hub) {}
    void drop_all_but(std::uint64_t owner) noexcept;

    hub_core& hub_;
    stream_hold* first_ = nullptr;
    std::unique_ptr<scan_stream> spare_;
};

/// Nobody else can be at any FILE, as long as the fiber does not switch.
inline bool is_alone(hub_core& hub) noexcept {
    return single_threaded() && holds::first(hub) == nullptr;
}

} // namespace tendril::detail::stdio
