// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/inbox.hpp"
#include "base/timer_queue.hpp"
#include "fiber/record.hpp"
#include "fiber/stack.hpp"
#include "hub/run_queue.hpp"
#include "hub/wait_reason.hpp"
#include "reactor/reactor.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace tendril::detail {

/// State that an upper layer keeps per hub (io, dns), and what it must do at the two moments that
/// only the hub knows of.
class hub_extension {
public:
    virtual ~hub_extension() = default;
    virtual void forked() {}      ///< in the child, on the hub of the forking thread
    virtual void ending() noexcept {} ///< the thread ends; no fiber of it will run again
};

enum class extension_slot : std::uint8_t { io, dns, shim };
inline constexpr std::size_t extension_slots = 3;

struct hub_counters {
    std::uint64_t spawned = 0;
    std::uint64_t finished = 0;
    std::uint64_t switches = 0;
    std::uint64_t polls = 0;
    std::uint64_t sleeps = 0; ///< polls that were allowed to wait
    std::uint64_t remote_wakes = 0;
    std::array<std::uint64_t, wait_kinds> waits{};
};

struct remote_spawn; // a task on its way to another hub

/// The scheduler of one OS thread. Its fibers never leave it. Hubs are type-stable like records: a
/// thread that ends gives its hub back for the next thread, so a late waker never meets freed memory
/// or a reused eventfd.
///
/// There is no scheduler fiber: whoever parks looks for the next one itself, and polls the reactor
/// on its own stack when there is none. So a switch is one jump.
class hub_core final : private reactor::listener {
public:
    explicit hub_core(std::unique_ptr<reactor> r);
    ~hub_core();
    hub_core(const hub_core&) = delete;
    hub_core& operator=(const hub_core&) = delete;

    static hub_core* current_or_null() noexcept { return current_hub_; }

    /// This thread's hub, made on first use. Throws std::system_error if that fails.
    static hub_core& current() { return current_hub_ != nullptr ? *current_hub_ : make_current(); }

    // --- begin and end of a thread's use --------------------------------------------------------
    void attach_thread();                            ///< the calling thread's stack becomes the main fiber
    std::size_t detach_thread(time_point give_up);   ///< runs until all is done or `give_up`; returns how many were abandoned
    std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }

    // --- spawning -------------------------------------------------------------------------------
    void spawn(task* t, std::size_t stack_size);                       ///< on this thread; takes one reference
    bool spawn_remote(task* t, std::size_t stack_size, std::uint64_t generation); ///< any thread; false: the hub ended

    // --- waiting (on this hub's thread, in a fiber) ---------------------------------------------
    /// Begins a wait. Hand the ticket to whoever may end it, then park(). Between the two the fiber
    /// must not switch.
    ticket prepare() noexcept;

    /// Switches away until the ticket is won. Returns why.
    wake park(ticket t, const wait_reason& why, time_point deadline = never) noexcept;

    /// Gives up a prepared wait before park(). False: somebody has won it, so park() must follow
    /// (it returns soon, with the winner's reason).
    static bool withdraw(ticket t) noexcept;

    /// Ends the wait, if nobody did before. Any thread. True: this call did it.
    static bool wake_up(ticket t, wake why) noexcept;

    void yield() noexcept;
    wake sleep_until(time_point deadline) noexcept;

    /// One operation that completed without waiting; yields when a fiber did many in a row, so one
    /// that never blocks cannot starve the others.
    void charge() noexcept {
        if (budget_switches_ != counters_.switches) {
            budget_switches_ = counters_.switches;
            budget_ = operations_per_turn;
        } else if (--budget_ == 0) {
            yield();
        }
    }

    void drain() noexcept; ///< until this fiber is the only one left

    // --- for upper layers -----------------------------------------------------------------------
    reactor& poller() noexcept { return *reactor_; }
    void set_listener(reactor::listener* l) noexcept { listener_ = l; }
    std::unique_ptr<hub_extension>& extension(extension_slot s) noexcept {
        return extensions_[static_cast<std::size_t>(s)];
    }
    fiber_record& running() noexcept { return *running_; }
    fiber_record& main_fiber() noexcept { return main_; }
    const hub_counters& counters() const noexcept { return counters_; }
    stack_statistics stacks() const noexcept { return stacks_.statistics(); }
    std::size_t live() const noexcept { return live_; } ///< fibers not yet ended, main excluded
    time_point now() noexcept { return reactor_->now(); }

    void forked(); ///< in the child, on the forking thread: only the running fiber goes on

    static constexpr std::uint32_t operations_per_turn = 64;

private:
    friend struct hub_registry;

    static hub_core& make_current();

    void make_ready(fiber_record* r) noexcept;
    fiber_record* pick_next() noexcept;
    void admit_from_backlog() noexcept;
    bool give_stack(fiber_record* r) noexcept;
    void switch_to(fiber_record* next) noexcept;
    void service() noexcept;
    void wait_for_work() noexcept;
    void drain_inboxes() noexcept;
    void fire_timers() noexcept;
    void finish(fiber_record* r) noexcept;
    void start(task* t, std::size_t stack_size) noexcept;
    fiber_record* new_record() noexcept;
    static void stack_main(stack& s) noexcept;
    void on_ready(std::uint64_t token, std::uint32_t events) noexcept override;

    static thread_local constinit hub_core* current_hub_ [[gnu::tls_model("initial-exec")]];

    // Touched at every switch, kept together.
    fiber_record* running_ = nullptr;
    run_queue ready_;
    run_queue backlog_;            ///< spawned, without a stack yet
    std::uint32_t until_check_ = 1;
    std::uint32_t check_interval_ = 1;
    std::uint32_t until_poll_ = 0;
    std::uint32_t budget_ = operations_per_turn;
    std::uint64_t budget_switches_ = 0;
    hub_counters counters_;

    fiber_record* free_records_ = nullptr;
    std::size_t live_ = 0;
    timer_queue timers_;
    stack_pool stacks_;
    context main_context_;
    fiber_record main_;
    ticket drainer_;               ///< who waits in drain()
    time_point last_poll_;
    std::unique_ptr<reactor> reactor_;
    reactor::listener* listener_ = nullptr;
    std::array<std::unique_ptr<hub_extension>, extension_slots> extensions_;
    std::vector<std::unique_ptr<fiber_record[]>> slabs_;

    // Touched by other threads.
    alignas(64) inbox<fiber_record> woken_;
    inbox<remote_spawn> arrivals_;
    std::atomic<bool> sleeping_{false};
    std::atomic<std::uint64_t> generation_{0}; ///< odd while a thread owns the hub
};

/// Defined by the composition root (lib/runtime): the hub does not know which reactor it gets.
std::unique_ptr<reactor> make_reactor();

/// Likewise: called on the thread whose hub began or is about to end.
void hub_began(hub_core& hub);
void hub_ends(hub_core& hub) noexcept;

} // namespace tendril::detail
