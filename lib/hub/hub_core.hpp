// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/shared_count.hpp"
#include "base/single_threaded.hpp"
#include "base/timer_queue.hpp"
#include "fiber/overflow.hpp"
#include "fiber/record.hpp"
#include "fiber/stack.hpp"
#include "hub/cancellation.hpp"
#include "hub/deadlock.hpp"
#include "hub/handled_signals.hpp"
#include "hub/hub_counters.hpp"
#include "hub/hub_extension.hpp"
#include "hub/mailbox.hpp"
#include "hub/record_pool.hpp"
#include "hub/run_queue.hpp"
#include "hub/task_cache.hpp"
#include "hub/wait_list.hpp"
#include "hub/wait_reason.hpp"
#include "reactor/reactor.hpp"

#include <tendril/error.hpp>
#include <tendril/thread_state.hpp>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <vector>

namespace tendril::detail {

class guests;
class hub_core;
class kept_states;
hub_core& make_thread_hub();

/// The scheduler of one OS thread. Its fibers never leave it. Hubs are type-stable like records: a
/// thread that ends gives its hub back for the next thread, so a late waker never meets freed
/// memory or a reused eventfd.
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
    static hub_core& current() {
        return current_hub_ != nullptr ? *current_hub_ : make_thread_hub();
    }

    // --- begin and end of a thread's use of the hub ----------------------------------------------
    /// The calling thread's stack becomes the main fiber, and this its hub.
    void attach_thread() noexcept;
    /// Runs until no fiber is left; cancels those that are from `cancel_at` on, and at `give_up`
    /// abandons them: their tickets become void, their joiners get an error, their stacks stay
    /// where they are. Returns how many.
    std::size_t detach_thread(time_point give_up, time_point cancel_at = never) noexcept;
    /// Cancels every fiber but the main one, and takes no more from other threads. Those that its
    /// fibers spawn later are not cancelled.
    void cancel_all(const char* reason) noexcept;
    /// Which use of the hub this is; odd while a thread owns it.
    std::uint64_t generation() const noexcept {
        return mailbox_.generation.load(std::memory_order_acquire);
    }

    // --- spawning --------------------------------------------------------------------------------
    /// On this thread. Takes over one reference, unless it throws std::bad_alloc.
    void spawn(task& t, std::size_t stack_size, const void* from = nullptr);
    /// Any thread. False: that use of the hub is over.
    bool spawn_remote(task& t, std::size_t stack_size, std::uint64_t generation,
                      const void* from = nullptr);

    // --- waiting: on this thread, in a fiber -----------------------------------------------------
    /// Begins a wait. Give the ticket to whoever may end it, then park(); no switch between the
    /// two.
    ticket prepare() noexcept {
        fiber_record& r = *running_;
        const std::uint64_t next_epoch =
            (r.word.load(std::memory_order_relaxed) | ticket_state_mask) + 1;
        r.word.store(next_epoch | ticket_waiting, std::memory_order_release);
        return {&r, next_epoch | ticket_waiting};
    }

    /// Switches away until the ticket is won; returns by what.
    wake park(ticket t, const wait_reason& why, time_point deadline = never) noexcept;

    /// Gives up a prepared wait instead of park(). False: somebody won it already, and park() must
    /// follow; it returns soon, with the winner's reason.
    static bool withdraw(ticket t) noexcept;

    /// Ends the wait, unless somebody did before. Any thread. True: this call did.
    static bool wake_up(ticket t, wake why) noexcept;

    /// wake_up in two steps, for wakers who have something to do in between, as to release a lock
    /// or to hand something over: after win() the fiber and its stack stand still until
    /// make_runnable(), which must follow soon. Until then its record's `next` is the winner's.
    static bool win(ticket t, wake why) noexcept;
    static void make_runnable(fiber_record& r) noexcept;

    // --- giving up: timeouts, shields and cancellation (cancellation.cpp) ------------------------
    void enter(cancel_scope& s, time_point until) noexcept;
    void move_deadline(cancel_scope& s, time_point until) noexcept;
    void leave(cancel_scope& s) noexcept;
    void end_scope(scope_link& link, std::string reason) noexcept;
    void cancel(cancel_request& request) noexcept;        ///< on this thread; takes it over
    bool cancel_remote(cancel_request& request) noexcept; ///< any thread; false: that hub has ended
    bool is_given_up() noexcept;                          ///< the running fiber
    /// For code that asks again and again and never waits: timers and requests, now and then.
    void notice() noexcept;
    bool may_have_given_up() const noexcept { return given_up_ != 0; } ///< some fiber here
    /// Throws what ends the running fiber's waits, if anything does.
    void throw_if_given_up() {
        if (given_up_ != 0) [[unlikely]] {
            throw_given_up();
        }
    }

    // --- who is there (census.cpp), and whether they can ever go on (deadlock.cpp) ---------------
    std::vector<fiber_info> census();
    /// From now on the main fiber learns of deadlocks. `is_alone`: no other thread is there that
    /// could wake a fiber. Null: it waits for ever.
    void look_for_deadlocks(bool (*is_alone)() noexcept) noexcept {
        deadlocks_.is_alone = is_alone;
    }
    /// For waits that cannot be cancelled and yet ended so.
    void throw_if_deadlocked() {
        if (deadlocks_.victim == running_) [[unlikely]] {
            throw_deadlock();
        }
    }
    /// Who owns what a thread's main fiber holds, in the words of locks.
    static const void* thread_mark() noexcept {
        alignas(16) static thread_local constinit char mark [[gnu::tls_model("initial-exec")]] = 0;
        return &mark;
    }

    void yield() noexcept;
    wake sleep_until(time_point deadline) noexcept;
    /// Until every other fiber ended; a fiber does not wait for those that wait here themselves.
    bool drain() noexcept; ///< false: given up

    /// One operation that completed without waiting. Yields when a fiber did many in a row: one
    /// whose operations never wait must not starve the others.
    void charge() noexcept {
        if (budget_switches_ != switches_) {
            budget_switches_ = switches_;
            budget_ = operations_per_turn;
        } else if (--budget_ == 0) {
            budget_ = operations_per_turn;
            yield();
        }
    }

    /// From a signal handler on the hub's thread: fibers that wait now may have to learn of it.
    void signalled(bool restarts) noexcept;
    /// A handler that ends such a wait has run since it began.
    bool is_interrupted(const wait_reason& why) const noexcept { return signals_.interrupted(why); }

    // --- what libraries keep per thread (kept_states.cpp) ----------------------------------------
    /// From now on each fiber of this hub has its own. Throws std::bad_alloc. False: it is there
    /// already.
    bool keep_per_fiber(const thread_state& state);

    // --- for another thread that watches this one (outside.cpp) ----------------------------------
    struct glimpse {
        std::uint64_t id = 0; ///< 0: a flow that no fiber of ours is
        const void* spawned_at = nullptr;
        char name[48] = {};
    };
    /// Changes whenever the thread comes back to the hub. None: the kernel does not tell.
    std::optional<std::uint64_t> progress() const noexcept;
    /// There is nothing to do for it, so it waits as it should.
    bool is_sleeping() const noexcept { return mailbox_.sleeping.load(std::memory_order_acquire); }
    glimpse glimpse_of_running() const noexcept;

    // --- for the layers above --------------------------------------------------------------------
    reactor& poller() noexcept { return *reactor_; }
    time_point now() noexcept { return reactor_->now(); }
    void set_listener(reactor::listener* l) noexcept { listener_ = l; }
    std::unique_ptr<hub_extension>& extension(extension_slot s) noexcept {
        return extensions_[static_cast<std::size_t>(s)];
    }
    fiber_record& running() noexcept { return *running_; }
    const fiber_record& running() const noexcept { return *running_; }
    /// Of the running flow: a fiber, a guest, or the main fiber.
    std::uint64_t running_id() const noexcept;
    fiber_record& main_fiber() noexcept { return main_; }
    /// Fibers of another library (guest.cpp). They have no stack of ours, so nothing here switches
    /// to them.
    bool has_guests() const noexcept { return guests_ != nullptr; }
    static bool is_guest(const fiber_record& r) noexcept {
        return r.stk == nullptr && r.extra->stack_size == 0;
    }
    std::uint64_t main_id() const noexcept { return main_id_; }
    std::uint64_t next_id() noexcept;
    static std::uint64_t single_id() noexcept; ///< on a thread without a hub
    /// Fibers that have not ended, but the main one.
    std::size_t live() const noexcept { return live_; }
    /// Nothing else would run here while the thread blocks: no other fiber, timer or thread.
    bool has_nothing_else() const noexcept {
        return live_ == 0 && !has_guests() && timers_.size() == 0 && single_threaded();
    }
    /// The same, with those on their way here. Any thread; soon out of date.
    std::size_t load() const noexcept {
        // First those on their way, for they go on to the others.
        const std::size_t arriving = mailbox_.arriving.load(std::memory_order_relaxed);
        return arriving + live_;
    }
    const std::uint64_t& switches() const noexcept { return switches_; }
    const hub_counters& counters() const noexcept { return counters_; }
    task_cache& tasks() noexcept { return tasks_; }
    stack_statistics stacks() const noexcept { return stacks_.statistics(); }

    /// In the child of a fork, on the thread that forked: only the running fiber goes on. When it
    /// ends and is not the main fiber, the process exits, as with threads: with status 0, or 1
    /// after an exception.
    void forked();

    /// In the child of a fork, on a hub whose thread is not there.
    void lost_in_fork() noexcept;

    /// Where tests put chance in the place of order. Null: the first comes first.
    class schedule {
    public:
        virtual std::size_t choose(std::size_t below) noexcept = 0;

    protected:
        ~schedule() = default;
    };
    void set_schedule(schedule* s) noexcept {
        schedule_ = s;
        check_at_ = switches_ + 1;
    }

    static constexpr std::uint32_t operations_per_turn = 64;
    static constexpr std::size_t ready_target = 64; ///< unstarted fibers wait while so many can run

private:
    friend struct hub_test_access; // tests stop half-way through wake_up()
    friend class guests;

    std::uint64_t running_guest_id() const noexcept;
    static fiber_record& run_fibers(stack& s) noexcept;
    static running_fiber describe_running() noexcept;
    void watch_for_overflow() noexcept;
    void forget_states() noexcept;

    void make_ready(fiber_record& r) noexcept;
    void notify() noexcept;
    fiber_record& pick_next(stack* own) noexcept;
    fiber_record& find_next(stack* own) noexcept;
    bool can_switch_at_once() const noexcept;
    bool give_warm_stack(fiber_record& r, stack* own) noexcept;
    bool give_stack(fiber_record& r, stack* own) noexcept;
    void resume(saved_context& from, fiber_record& next) noexcept;
    void switch_to(fiber_record& next) noexcept;
    void yield_slowly() noexcept;
    void check() noexcept;
    void perturb() noexcept;
    void service() noexcept;
    void wait_for_work() noexcept;
    bool spin() noexcept;
    void judge_sleep(std::uint64_t cycles) noexcept;
    bool nothing_came() const noexcept { return mailbox_.empty() && !signals_.pending(); }
    void take_inboxes() noexcept;
    void interrupt_waits() noexcept;
    void fire_timers(time_point now) noexcept;

    wake park_guest(ticket t, const wait_reason& why, time_point deadline) noexcept;
    void yield_guest() noexcept;
    void hand_to_guests(fiber_record& r) noexcept;
    void forget_parked_guests() noexcept;
    static void void_tickets(fiber_record& r) noexcept;
    void guest_begins(std::uint64_t& check_at) noexcept;
    void guest_ends(std::uint64_t check_at) noexcept;

    struct cause;
    static cause why_give_up(const fiber_record& r, unsigned uncaught) noexcept;
    bool must_give_up(const wait_reason& why, ticket t) noexcept;
    void end_unbegun(fiber_record& r) noexcept;
    void drop_spent_requests() noexcept;
    void throw_given_up();
    void give_up_wait(fiber_record& r) noexcept;
    void scope_is_over(cancel_scope& s) noexcept;
    void forget_cancellation(fiber_record& r) noexcept;
    void take_requests(cancel_request* first) noexcept;
    void keep_scopes() noexcept;
    void accept_arrivals(arrival* first) noexcept;
    void start(task& t, std::size_t stack_size, std::uint64_t parent, const void* from,
               std::unique_ptr<fiber_values> inherited);
    fiber_info describe(const fiber_record& r);
    std::string describe_owner(const wait_reason& why);

    enum class hope : std::uint8_t { none, found, unknown };
    fiber_record& principal() noexcept;
    hope look_for_hope(std::size_t at_most) noexcept;
    time_point before_endless_sleep() noexcept;
    bool deadlock(fiber_record& main) noexcept;
    void print_deadlock() noexcept;
    [[noreturn]] void throw_deadlock();
    [[noreturn]] static void end_process(task& last) noexcept;
    void end_values(fiber_record& r) noexcept;
    void abandon(fiber_record& r, const std::exception_ptr& why) noexcept;
    void wake_drainers() noexcept;
    void keep_lost(task& t) noexcept;
    void run_until(time_point deadline) noexcept;
    void cancel_until(time_point deadline) noexcept;

    void ended(fiber_record& r) noexcept {
        if (given_up_ != 0) [[unlikely]] {
            forget_cancellation(r);
        }
        records_.give(r);
        ++counters_.finished;
        --live_;
        if (drainers_ != nullptr) [[unlikely]] {
            wake_drainers();
        }
    }

    std::size_t others() const noexcept;
    void on_ready(std::uint64_t token, std::uint32_t events) noexcept override;
    void prefetch(std::uint64_t token, bool again) noexcept override;
    void on_lost() noexcept override;

    static thread_local constinit hub_core* current_hub_ [[gnu::tls_model("initial-exec")]];

    static constexpr std::uint32_t switches_per_check = 64;
    static constexpr std::uint32_t switches_per_poll = 512;
    /// When a poll said that there is more: not before those of this one have run, which leave
    /// the run queue empty where nobody else is in it.
    static constexpr std::uint32_t switches_per_batch = 256;
    static constexpr std::size_t guest_runs = std::size_t{1} << 63; ///< of given_up_

    // What every switch touches, together.
    fiber_record* running_ = nullptr;
    thread_cells cells_;
    run_queue ready_;
    run_queue backlog_; ///< spawned, and not admitted to ready_ yet
    std::uint64_t switches_ = 0;
    std::size_t given_up_ = 0;   ///< cancelled fibers, and scopes whose time is over; guest_runs
    std::uint64_t check_at_ = 1; ///< of switches_
    std::uint64_t poll_at_ = switches_per_poll;
    std::uint32_t budget_ = operations_per_turn;
    std::uint32_t check_interval_ = switches_per_check;
    std::uint64_t budget_switches_ = 0;
    bool begins_warm_ = false; ///< a fiber that begins needs nothing but a stack
    hub_counters counters_;

    std::uint64_t polled_at_ = 0; ///< cycle_counter()
    std::uint32_t spin_ = 0;      ///< cycles to look for something before a sleep
    bool may_spin_ = false;       ///< there is another CPU, from which something may come
    record_pool records_{*this};
    cancel_request* spent_ = nullptr; ///< whose references are to be dropped in a fiber
    shared_count live_;
    waiter* drainers_ = nullptr;
    std::size_t draining_fibers_ = 0;
    fiber_record* sole_survivor_ = nullptr; ///< after fork: the fiber whose end is the process's
    std::uint64_t main_id_ = 0;
    std::uint64_t id_ = 0, id_end_ = 0; ///< ids taken in blocks from a process-wide counter
    bool watches_overflow_ = false;
    std::unique_ptr<kept_states> states_; ///< null: nothing is registered
    timer_queue timers_;
    task_cache tasks_;
    stack_pool stacks_;
    stack main_stack_; ///< the thread's own; only its description
    fiber_record main_;
    fiber_extra main_extra_;
    std::unique_ptr<reactor> reactor_;
    reactor::listener* listener_ = nullptr;
    std::array<std::unique_ptr<hub_extension>, extension_slots> extensions_;
    /// Made in time: libstdc++ keeps some memory for exceptions, but not for those of any number of
    /// fibers that get no stack.
    const std::exception_ptr out_of_memory_ = std::make_exception_ptr(std::bad_alloc());
    std::vector<task*> lost_; ///< of fibers that never go on; only leak checkers look here
    fiber_values* lost_values_ = nullptr; ///< likewise
    guests* guests_ = nullptr;
    fiber_values* ended_values_ = nullptr; ///< of guests that have ended
    stack guests_stack_;                   ///< not ours: only that there is one
    schedule* schedule_ = nullptr;

    handled_signals signals_;
    deadlock_watch deadlocks_;
    mailbox mailbox_;
};

/// Ends the wait of one that has been taken out of a list. Returns the fiber that was won, if any:
/// it stands still until make_runnable().
inline fiber_record* win_waiter(waiter& w, wake why) noexcept {
    if (w.who.fiber == nullptr) [[unlikely]] {
        return static_cast<watcher&>(w).told(static_cast<watcher&>(w));
    }
    return hub_core::win(w.who, why) ? w.who.fiber : nullptr;
}

// Defined by the composition root (lib/runtime), which alone knows the layers above.

/// Gives the calling thread a hub, which ends with the thread.
hub_core& make_thread_hub();
/// Called on the thread whose hub began. If it throws, there is no hub.
void hub_began(hub_core& hub);

} // namespace tendril::detail
