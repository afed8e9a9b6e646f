// SPDX-License-Identifier: BSL-1.0
#pragma once

// Boost.Fiber as a guest. The one header that needs it installed (1.74 or newer): link
// tendril::boost_fiber, or Boost's library beside ours. <tendril/tendril.hpp> does not include it.

#include <tendril/cancel.hpp>
#include <tendril/detail/guest.hpp>
#include <tendril/future.hpp>

#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <boost/fiber/properties.hpp>
#include <boost/fiber/scheduler.hpp>
#include <boost/fiber/type.hpp>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace tendril {
inline namespace v1 {
namespace boost_fiber {

/// Runs the calling thread's Boost.Fiber fibers on its hub, beside Tendril's own:
///
///     boost::fibers::use_scheduling_algorithm<tendril::boost_fiber::hub_algorithm>();
///
/// From then on a Boost fiber of this thread that waits in Tendril, be it in `io::`, `net::`,
/// `dns::`, a mutex or channel of Tendril's, a sleep, or a call of libc's that the shim serves,
/// waits alone: other Boost fibers and Tendril's go on. It may set a `timeout` and a `shield`, and
/// join Tendril's fibers; errno, the exceptions that it handles, and its `fiber_local`s are its
/// own. What it waits for in Boost.Fiber stays as it was; meanwhile the hub runs its other fibers,
/// or sleeps in its reactor. Boost fibers have turns in Boost's order, and in each round of theirs
/// Tendril's fibers have one turn each.
///
/// *Where:* in the thread's main flow, before or after its first fibers of either kind. Per thread:
/// others have their own hub, or another algorithm. Not to be replaced while Boost fibers live.
///
/// *Wakes:* a Boost fiber wakes Tendril's fibers by whatever they wait for. A Tendril fiber may
/// notify, set, unlock, `try_` and start (`launch::post`) whatever is Boost.Fiber's. To wait there
/// it needs a Boost fiber of its own: call(). Both hold across threads.
///
/// *Refused, with a message and std::terminate:* to wait in Boost.Fiber, or to start a fiber there
/// by `launch::dispatch`, in a Tendril fiber; a Boost fiber that was taken from another thread's
/// hub_algorithm. Fibers stay on their hub: there is no work stealing, neither to nor from here.
///
/// *Ends:* a Boost fiber cannot be cancelled, having no handle in Tendril. As always in
/// Boost.Fiber, a thread ends, and `main` returns, when all its Boost fibers have; do not call
/// exit(3) in a fiber of either kind, nor after fork(2) in the child: there Boost fibers that
/// waited in Tendril never go on. Values of `fiber_local`s of a Boost fiber are destroyed soon
/// after it ended, by the thread's scheduler, and their destructors must not wait.
class hub_algorithm final : public boost::fibers::algo::algorithm, private detail::guests {
public:
    /// Called by use_scheduling_algorithm(), which is noexcept: what this throws ends the program.
    /// @throws std::system_error EPERM: not the thread's main flow; EBUSY: the thread has one
    /// already;
    ///         ENOTSUP: libtendril was built for a sanitizer, which knows nothing of Boost's
    ///         switches.
    hub_algorithm() {
        if (!main_->is_context(boost::fibers::type::main_context)) {
            throw std::system_error(
                EPERM, std::system_category(),
                "hub_algorithm is to be used in the thread's main flow, but this "
                "is a Boost fiber");
        }
        main_guest.context = main_;
    }
    hub_algorithm(const hub_algorithm&) = delete;
    hub_algorithm& operator=(const hub_algorithm&) = delete;
    ~hub_algorithm() override = default;

    // What boost::fibers::scheduler calls; not for programs.

    void awakened(boost::fibers::context* fiber) noexcept override {
        if (left_ != nullptr && fiber == left_->context) { // it has only yielded
            left_ = nullptr;
        } else if (&known(fiber) == &running()) {
            // launch::dispatch switches first, and says it afterwards.
            if (hub_fiber_runs()) {
                refuse(
                    "a Tendril fiber starts a Boost fiber by launch::dispatch; use launch::post");
            }
            switched(known(boost::fibers::context::active()));
        }
        fiber->ready_link(ready_);
        can_run();
    }

    boost::fibers::context* pick_next() noexcept override {
        if (hub_fiber_runs()) {
            refuse("a Tendril fiber waits in Boost.Fiber, which takes it for another; use "
                   "tendril::boost_fiber::call");
        }
        detail::guest_fiber& from = running();
        if (&from == &idle_guest && !ready_.empty()) {
            turn();
        }
        if (ready_.empty()) {
            return nullptr;
        }
        boost::fibers::context& next = take_ready();
        detail::guest_fiber& to = adopted(next);
        switched(to);
        look_whether_left_ended();
        left_ = &from;
        if (&to == &idle_guest) { // where Boost destroys its objects of fibers that ended
            look_whether_left_ended();
        }
        return &next;
    }

    bool has_ready_fibers() const noexcept override { return !ready_.empty(); }

    void suspend_until(const std::chrono::steady_clock::time_point& until) noexcept override {
        wait(until);
    }

    void notify() noexcept override { guests::notify(); }

private:
    /// Lives as long as Boost's object for the fiber, which may be longer than the algorithm.
    struct alignas(64) properties final : boost::fibers::fiber_properties {
        properties(boost::fibers::context* fiber, hub_algorithm* algorithm) noexcept
            : fiber_properties(fiber)
            , owner(algorithm) {
            guest.context = fiber;
        }
        hub_algorithm* owner;
        detail::guest_fiber guest;
    };

    [[noreturn]] static void refuse(const char* why) noexcept {
        std::fprintf(stderr, "tendril: %s\n", why);
        std::terminate();
    }

    /// The dispatcher costs as much as some switches, and need not run in each round.
    boost::fibers::context& take_ready() noexcept {
        boost::fibers::context* first = &ready_.front();
        ready_.pop_front();
        if (first == idle_guest.context && !ready_.empty() && may_pass_idle()) {
            first->ready_link(ready_);
            first = &ready_.front();
            ready_.pop_front();
        }
        if (!ready_.empty()) { // needed when that one is switched to
            __builtin_prefetch(&adopted(ready_.front()));
        }
        return *first;
    }

    void look_whether_left_ended() noexcept {
        detail::guest_fiber* const guest = std::exchange(left_, nullptr);
        if (guest == nullptr || guest == &idle_guest || guest == &main_guest) {
            return;
        }
        // A fiber leaves its scheduler's list as the first of its last steps.
        if (!static_cast<boost::fibers::context*>(guest->context)->worker_is_linked()) {
            end(*guest);
        }
    }

    /// Of a fiber that came here before.
    detail::guest_fiber& adopted(boost::fibers::context& fiber) noexcept {
        return &fiber == main_ ? main_guest
               : &fiber == idle_guest.context
                   ? idle_guest
                   : static_cast<properties*>(fiber.get_properties())->guest;
    }

    detail::guest_fiber& known(boost::fibers::context* fiber) noexcept {
        if (fiber == main_ || fiber == idle_guest.context) {
            return adopted(*fiber);
        }
        const boost::fibers::fiber_properties* const before = fiber->get_properties();
        if (before == nullptr || typeid(*before) != typeid(properties)) {
            return adopt(*fiber);
        }
        if (static_cast<const properties*>(before)->owner != this) {
            refuse("a Boost fiber of another thread was taken; fibers stay on their hub, where no "
                   "work is stolen");
        }
        return adopted(*fiber);
    }

    detail::guest_fiber& adopt(boost::fibers::context& fiber) noexcept {
        if (fiber.is_context(boost::fibers::type::dispatcher_context)) {
            idle_guest.context = &fiber;
            return idle_guest;
        }
        auto made = std::make_unique<properties>(&fiber, this);
        begin(made->guest);
        detail::guest_fiber& guest = made->guest;
        fiber.set_properties(made.release());
        return guest;
    }

    void suspend() noexcept override { boost::fibers::context::active()->suspend(); }
    void yield() noexcept override { boost::fibers::context::active()->yield(); }
    void ready(detail::guest_fiber& guest) noexcept override {
        auto& fiber = *static_cast<boost::fibers::context*>(guest.context);
        if (!fiber.ready_is_linked()) { // as it may be in 1.74, for a wait that was over before
            fiber.ready_link(ready_);
        }
    }

    detail::guest_fiber* left_ = nullptr; ///< was switched from last, unless it can run
    boost::fibers::context* const main_ = boost::fibers::context::active();
    boost::fibers::scheduler::ready_queue_type ready_;
};

/// Calls `function()` in a new Boost fiber of this thread and waits for its end; returns and throws
/// what it did. So a Tendril fiber may wait in Boost.Fiber:
///
///     tendril::boost_fiber::call([&] { return pages.push(page); }); // a boost buffered_channel
///
/// In a Boost fiber, or the main flow, it is a plain call. Cancellation and timeouts of the caller
/// take effect after it.
/// @throws std::system_error EPERM: this thread does not use hub_algorithm.
template <typename Function>
std::invoke_result_t<Function&> call(Function&& function) {
    const detail::guests* const here = detail::guests::of_this_thread();
    if (here == nullptr) {
        throw std::system_error(
            EPERM, std::system_category(),
            "tendril::boost_fiber::call: this thread does not use hub_algorithm");
    }
    if (!here->hub_fiber_runs()) {
        return function();
    }
    packaged_task<std::invoke_result_t<Function&>()> task([&function] { return function(); });
    auto result = task.get_future();
    const shield until_it_ended;
    boost::fibers::fiber(boost::fibers::launch::post, std::move(task)).detach();
    return result.get();
}

} // namespace boost_fiber
} // namespace v1
} // namespace tendril
