// SPDX-License-Identifier: BSL-1.0
#include "hub/task_access.hpp"

#include "base/single_threaded.hpp"
#include "hub/foreign_call.hpp"
#include "hub/hub_core.hpp"

#include <tendril/detail/cancelled.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tendril::detail {

namespace {

/// The lock in a task's state. Only its holder changes the rest of the word.
class state_lock {
public:
    explicit state_lock(std::atomic<std::uint8_t>& word) noexcept
        : word_(word) {
        if (single_threaded()) {
            before_ = word_.load(std::memory_order_relaxed);
        } else {
            before_ = acquire(word_);
        }
    }
    ~state_lock() { word_.store(before_, std::memory_order_release); }
    state_lock(const state_lock&) = delete;
    state_lock& operator=(const state_lock&) = delete;

    /// Seen at once, also by those who look without the lock.
    void set(std::uint8_t bit) noexcept {
        before_ |= bit;
        word_.store(before_ | task_access::locked, std::memory_order_release);
    }

private:
    [[gnu::noinline]] static std::uint8_t acquire(std::atomic<std::uint8_t>& word) noexcept {
        unsigned spins = 0;
        for (;;) {
            const std::uint8_t before =
                word.fetch_or(task_access::locked, std::memory_order_acq_rel);
            if ((before & task_access::locked) == 0) {
                return before;
            }
            if (++spins > 100) {
                ::syscall(SYS_sched_yield);
            }
        }
    }

    std::atomic<std::uint8_t>& word_;
    std::uint8_t before_ = 0;
};

} // namespace

std::string task_access::describe(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        int status = 0;
        const std::unique_ptr<char, void (*)(void*)> name(
            abi::__cxa_demangle(typeid(e).name(), nullptr, nullptr, &status), std::free);
        return std::string(status == 0 ? name.get() : typeid(e).name()) + ": " + e.what();
    } catch (const timed_out&) {
        return "tendril::timed_out";
    } catch (const cancelled& c) {
        return "tendril::cancelled: " + c.reason();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

void* allocate_task(std::size_t size) {
    if (hub_core* hub = hub_core::current_or_null(); hub != nullptr) {
        if (void* memory = hub->tasks().take(size); memory != nullptr) {
            return memory;
        }
    }
    return ::operator new(task_cache::rounded(size));
}

void free_task(void* memory, std::size_t size) noexcept {
    hub_core* hub = hub_core::current_or_null();
    if (hub == nullptr || !hub->tasks().give(memory, size)) {
        ::operator delete(memory);
    }
}

void task_access::set_name(task& t, const char* name) {
    if (*name != '\0' && (t.name_ = ::strdup(name)) == nullptr) {
        throw std::bad_alloc();
    }
}

void task_access::run(task& t) noexcept {
    try {
        t.run();
    } catch (const cancelled& c) {
        // Another fiber's, handed on, is an error like others.
        t.error_ = hub_core::current().running().extra->cancelled != nullptr
                       ? was_cancelled(t, c.reason())
                       : std::current_exception();
    } catch (...) {
        t.error_ = std::current_exception();
    }
}

void task_access::fail(task& t, std::exception_ptr why) noexcept {
    t.error_ = std::move(why);
}

std::exception_ptr task_access::was_cancelled(task& t, const std::string& reason) noexcept {
    t.quiet_ = true;
    try {
        std::string text = "fiber #" + std::to_string(t.id_);
        if (t.name_ != nullptr) {
            text += " \"" + std::string(t.name_) + '"';
        }
        text += " was cancelled";
        if (!reason.empty()) {
            text += ": " + reason;
        }
        // Not thrown and caught, which takes longer than all else here.
        return std::make_exception_ptr(std::system_error(ECANCELED, std::system_category(), text));
    } catch (...) {
        return std::current_exception();
    }
}

// While a task is on its way to another thread, its place is the hub, marked by the lowest bit.

void task_access::set_home(task& t, hub_core& h) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(&h);
    t.where_.store(reinterpret_cast<void*>(address | 1), std::memory_order_release);
}

hub_core* task_access::home(const task& t) noexcept {
    const auto where = reinterpret_cast<std::uintptr_t>(t.where_.load(std::memory_order_acquire));
    if ((where & 1) != 0) {
        return reinterpret_cast<hub_core*>(where & ~std::uintptr_t{1});
    }
    return where != 0 ? reinterpret_cast<fiber_record*>(where)->home : nullptr;
}

fiber_record* task_access::record(const task& t) noexcept {
    void* const where = t.where_.load(std::memory_order_acquire);
    return (reinterpret_cast<std::uintptr_t>(where) & 1) == 0 ? static_cast<fiber_record*>(where)
                                                              : nullptr;
}

void task_access::complete(task& t) noexcept {
    state_lock lock(t.state_);
    lock.set(done);
    // A waiter's node is on its stack. Once woken it is gone, so nothing of it is touched after.
    while (waiter* w = pop_waiter(t.joiners_)) {
        if (fiber_record* const r = win_waiter(*w, wake::ready)) {
            hub_core::make_runnable(*r);
        }
    }
}

bool task_access::watch(task& t, watcher& w) {
    const hub_core* const hub = hub_core::current_or_null();
    if (hub != nullptr && hub->running().job == &t) {
        throw_joins_itself(t);
    }
    const state_lock lock(t.state_);
    if (is_done(t)) {
        return false;
    }
    push_waiter(t.joiners_, w);
    return true;
}

void task_access::unwatch(task& t, watcher& w) noexcept {
    const state_lock lock(t.state_);
    remove_waiter(t.joiners_, w);
}

void task_access::throw_joins_itself(const task& t) {
    throw std::system_error(EDEADLK, std::system_category(),
                            "join fiber #" + std::to_string(t.id_) + " by itself");
}

bool task_access::join(task& t, time_point deadline) {
    if (is_done(t)) {
        return true;
    }
    hub_core& hub = hub_core::current();
    if (hub.running().job == &t) [[unlikely]] {
        throw_joins_itself(t);
    }
    if (deadline != never && deadline <= hub.now()) {
        hub.charge(); // whoever only looks, again and again, must not keep it from ending
        return t.done();
    }
    waiter self;
    self.who = hub.prepare();
    {
        const state_lock lock(t.state_);
        if (is_done(t)) {
            hub_core::withdraw(self.who);
            return true;
        }
        push_waiter(t.joiners_, self);
    }
    const wait_reason why{wait_kind::join, "join fiber #", static_cast<std::int64_t>(t.id_)};
    const wake end = hub.park(self.who, why, deadline);
    if (end != wake::ready) {
        const state_lock lock(t.state_);
        remove_waiter(t.joiners_, self);
    }
    if (end == wake::cancelled) {
        hub.throw_if_given_up();
    }
    return is_done(t);
}

void task_access::report_uncollected(task& t) noexcept {
    const foreign_call_guard at_once; // it may be at its very end
    try {
        std::string who = "tendril: fiber #" + std::to_string(t.id_);
        if (t.name_ != nullptr) {
            who += " \"" + std::string(t.name_) + '"';
        }
        const std::string line =
            who + " ended with an exception that nobody collected: " + describe(t.error_) + '\n';
        std::fputs(line.c_str(), stderr);
    } catch (...) {
        std::fputs("tendril: a fiber ended with an exception that nobody collected\n", stderr);
    }
}

bool task_access::report_failure(task& t) noexcept {
    if (t.error_ == nullptr) {
        return false;
    }
    report_uncollected(t);
    return true;
}

task::~task() {
    if (error_ != nullptr && !collected_ && !quiet_) {
        task_access::report_uncollected(*this);
    }
    if (name_ != nullptr) {
        std::free(name_);
    }
}

void task::release() noexcept {
    const std::uint32_t owners = references_.load(std::memory_order_acquire);
    // The last owner has nobody to race with, nor has the only thread.
    if (owners == 1) {
        delete this;
    } else if (single_threaded()) {
        references_.store(owners - 1, std::memory_order_relaxed);
    } else if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        delete this;
    }
}

void task::join() {
    join_until(never);
}

bool task::join_until(time_point deadline) {
    return task_access::join(*this, deadline);
}

bool task::done() const noexcept {
    return task_access::is_done(*this);
}

std::string task::name() const {
    return task_access::name(*this);
}

void task::collect() {
    if (std::exchange(collected_, true)) {
        throw std::logic_error("fiber::get was called twice");
    }
    if (error_ != nullptr) {
        std::rethrow_exception(error_);
    }
}

} // namespace tendril::detail
