// SPDX-License-Identifier: BSL-1.0
#pragma once

// What <tendril/boost_fiber.hpp> needs of a hub. Nothing here is for direct use.

#include <tendril/export.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tendril::detail {

class hub_core;
struct fiber_record;

/// A fiber that another library switches to and from, on one of our hubs.
struct guest_fiber {
    fiber_record* record = nullptr; ///< what it waits with in the hub
    void* context = nullptr;        ///< the other library's fiber
    std::uint64_t id = 0;
    bool parked = false; ///< waits in the hub

    // While it does not run: what a flow has of its own, but lives in thread-local storage.
    void* caught = nullptr;
    unsigned uncaught = 0;
    int error = 0;
};

/// The fibers of another library on the calling thread's hub: one of them at a time runs, and one,
/// the idle one, waits in the hub for all when none can. For the hub that one is a fiber like its
/// own; the others it wakes by ready(), and never switches to.
class TENDRIL_EXPORT guests {
public:
    /// The calling flow becomes the guest `main_guest`; it must be its thread's main fiber. Throws
    /// std::system_error: EPERM if it is not, EBUSY if the hub has guests; std::bad_alloc.
    guests();
    guests(const guests&) = delete;
    guests& operator=(const guests&) = delete;

    /// Null: this thread has none.
    static guests* of_this_thread() noexcept;

    guest_fiber main_guest;
    guest_fiber idle_guest;
    guest_fiber& running() noexcept { return *running_; }

    /// A fiber of the hub's own runs, not a guest.
    bool hub_fiber_runs() const noexcept;

    void begin(guest_fiber& guest); ///< throws std::bad_alloc
    void end(guest_fiber& guest) noexcept;

    /// The library is about to switch, or has just switched.
    void switched(guest_fiber& to) noexcept;

    // In the idle guest.
    void turn() noexcept; ///< the hub's fibers have a turn
    void wait(std::chrono::steady_clock::time_point until) noexcept; ///< until one can run, or then

    void can_run() noexcept; ///< on this thread: one can
    void notify() noexcept;  ///< any thread: wait() returns, now or when it is next called

protected:
    /// The running flow must be `main_guest` again, and all others have ended.
    ~guests();

    // In the running guest.
    virtual void suspend() noexcept = 0; ///< others run, until it is ready
    virtual void yield() noexcept = 0;

    virtual void ready(guest_fiber& guest) noexcept = 0;

private:
    friend class hub_core;

    void woken(guest_fiber& guest) noexcept;
    void forked() noexcept;

    hub_core* hub_ = nullptr;
    guest_fiber* running_ = nullptr;
    std::uint64_t living_ = 0; ///< besides these two
    std::uint64_t check_at_ = 0;
    std::atomic<std::uint64_t> waiting_{0}; ///< the idle guest's ticket, or 0
    std::atomic<bool> notified_{false};
};

} // namespace tendril::detail
