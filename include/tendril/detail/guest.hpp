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

    // While it does not run: what a flow has of its own, but lives in thread-local storage.
    void* caught = nullptr; ///< see guest_exceptions
    unsigned uncaught = 0;
    int error = 0;

    void* context = nullptr; ///< the other library's fiber
    std::uint64_t id = 0;
    bool parked = false; ///< waits in the hub
};

/// Itanium C++ ABI, exception handling, 2.2.2: what __cxa_get_globals() points to.
struct guest_exceptions {
    void* caught;
    unsigned uncaught;
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
    bool hub_fiber_runs() const noexcept { return *hub_runs_ != running_->record; }

    void begin(guest_fiber& guest); ///< throws std::bad_alloc
    void end(guest_fiber& guest) noexcept;

    /// The library is about to switch, or has just switched. Nothing but its code runs in between.
    void switched(guest_fiber& to) noexcept {
        guest_fiber& from = *running_;
        from.caught = exceptions_->caught;
        from.uncaught = exceptions_->uncaught;
        from.error = *error_;
        exceptions_->caught = to.caught;
        exceptions_->uncaught = to.uncaught;
        *error_ = to.error;
        running_ = &to;
        *hub_runs_ = to.record;
        if (&from == &idle_guest || &to == &idle_guest) {
            watch();
        }
    }

    /// Others are ready. May they go on before the idle one? It need not look after the rest of the
    /// hub, nor after timers and ended fibers, more often than every few microseconds.
    bool may_pass_idle() const noexcept;

    // In the idle guest.
    void turn() noexcept; ///< the hub's fibers have a turn
    void wait(std::chrono::steady_clock::time_point until) noexcept; ///< until one can run, or then

    /// On this thread: one can.
    void can_run() noexcept {
        if (waiting_.load(std::memory_order_relaxed) != 0) {
            end_wait();
        }
    }
    void notify() noexcept; ///< any thread: wait() returns, now or when it is next called

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
    void watch() noexcept;
    void idle_looked() noexcept;
    void end_wait() noexcept;

    hub_core* hub_ = nullptr;
    guest_fiber* running_ = nullptr;
    fiber_record** hub_runs_ = nullptr; ///< the hub's notion of it
    guest_exceptions* exceptions_ = nullptr;
    int* error_ = nullptr;
    std::uint64_t living_ = 0;  ///< besides these two
    std::uint64_t ended_ = 0;   ///< since the idle one ran
    std::uint64_t idle_at_ = 0; ///< cycle_counter()
    std::uint64_t check_at_ = 0;
    std::atomic<std::uint64_t> waiting_{0}; ///< the idle guest's ticket, or 0
    std::atomic<bool> notified_{false};
};

} // namespace tendril::detail
