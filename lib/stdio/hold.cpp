// SPDX-License-Identifier: BSL-1.0
#include "stdio/hold.hpp"

#include "stdio/fields.hpp"
#include "stdio/waiting_hubs.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <utility>

namespace tendril::detail::stdio {

namespace {

constexpr std::chrono::microseconds longest_pause{2000};
// What others need to see that the FILE is free: hubs look, threads are woken by libc.
constexpr std::chrono::microseconds for_hubs{longest_pause + longest_pause / 2};
constexpr std::chrono::microseconds for_threads{100};

} // namespace

bool holds::enter(hub_core& hub, stream_hold& h) noexcept {
    auto& slot = hub.extension(extension_slot::stdio);
    if (slot == nullptr) {
        slot.reset(new (std::nothrow) holds(hub));
        if (slot == nullptr) {
            return false;
        }
    }
    h.next_hold_ = std::exchange(static_cast<holds&>(*slot).first_, &h);
    return true;
}

void holds::remove(hub_core& hub, stream_hold& h) noexcept {
    stream_hold** at = &static_cast<holds&>(*hub.extension(extension_slot::stdio)).first_;
    while (*at != &h) {
        at = &(*at)->next_hold_;
    }
    *at = h.next_hold_;
}

void holds::drop_all_but(std::uint64_t owner) noexcept {
    for (stream_hold** at = &first_; *at != nullptr;) {
        stream_hold& h = **at;
        h.waiting_ = nullptr;
        if (h.owner_ == owner) {
            at = &h.next_hold_;
        } else {
            *at = h.next_hold_;
            h.unlock();
        }
    }
}

stream_hold* holds::find(hub_core& hub, const FILE* file) noexcept {
    stream_hold* h = first(hub);
    while (h != nullptr && h->file_ != file) {
        h = h->next_hold_;
    }
    return h;
}

stream_hold* stream_hold::for_program(hub_core& hub, FILE* file) noexcept {
    auto* const made = new (std::nothrow) stream_hold(hub, file, true);
    if (made != nullptr) {
        made->programs_ = true;
    }
    return made;
}

stream_hold* stream_hold::mine(hub_core& hub, const FILE* file) noexcept {
    stream_hold* const h = holds::find(hub, file);
    return h != nullptr && h->owner_ == hub.running_id() ? h : nullptr;
}

int stream_hold::acquire(io::options& o, bool cancellable) noexcept {
    if (holds::first(hub_) == nullptr) [[likely]] {
        if (!locks_ || single_threaded()) {
            return 0;
        }
        locked_ = sys::real.ftrylockfile(file_) == 0;
        if (locked_ && !waiting_hub::any(file_)) {
            return 0;
        }
    }
    return acquire_slowly(o, cancellable);
}

bool stream_hold::try_acquire() noexcept {
    if (stream_hold* const holder = holds::find(hub_, file_)) {
        if (holder->owner_ != hub_.running_id()) {
            return false;
        }
        outer_ = holder;
        holder->nest();
        return true;
    }
    locked_ = locks_ && sys::real.ftrylockfile(file_) == 0;
    return locked_ || !locks_;
}

int stream_hold::acquire_slowly(io::options& o, bool cancellable) noexcept {
    if (locked_ || try_acquire()) {
        return locked_ && waiting_hub::is_overdue(file_, hub_) ? step_aside(o, cancellable) : 0;
    }
    stream_hold* const holder = holds::find(hub_, file_);
    if (holder != nullptr) {
        if (const int error = wait(*holder, o, cancellable); error != 0) {
            return error;
        }
    } else {
        keep(); // in line before other fibers, while another thread has it
    }
    return !locks_ || locked_ ? 0 : wait_for_threads(o, cancellable);
}

int stream_hold::wait(stream_hold& holder, io::options& o, bool cancellable) noexcept {
    owner_ = hub_.running_id();
    who = hub_.prepare();
    push_waiter(holder.waiting_, *this);
    wait_reason why{wait_kind::sync, "FILE", -1, file_};
    why.cancellable = cancellable;
    o.waited = true;
    const wake end = hub_.park(who, why);
    if (end == wake::ready) {
        return 0;
    }
    // Who holds it may be another by now.
    if (linked) {
        remove_waiter(holds::find(hub_, file_)->waiting_, *this);
    }
    return end == wake::closed ? -EBADF : -ECANCELED;
}

/// Keeping the place in line before other fibers.
int stream_hold::step_aside(io::options& o, bool cancellable) noexcept {
    unlock();
    enter();
    aside_ = for_hubs;
    return wait_for_threads(o, cancellable);
}

/// A plain thread, or another hub's: its holder tells nobody when it lets go.
int stream_hold::wait_for_threads(io::options& o, bool cancellable) noexcept {
    using namespace std::chrono_literals;
    const waiting_hub counted(file_, hub_);
    wait_reason why{wait_kind::sync, "FILE of another thread", -1, file_};
    why.cancellable = cancellable;
    std::chrono::microseconds pause = 20us;
    while (aside_ != 0us || sys::real.ftrylockfile(file_) != 0) {
        o.waited = true;
        const ticket t = hub_.prepare();
        const auto until = hub_.now() + std::max(pause, std::exchange(aside_, 0us));
        if (hub_.park(t, why, until) != wake::timeout) {
            release();
            return -ECANCELED;
        }
        pause = std::min(2 * pause, longest_pause);
    }
    locked_ = true;
    return 0;
}

void stream_hold::enter() noexcept {
    owner_ = hub_.running_id();
    kept_ = holds::enter(hub_, *this);
}

void stream_hold::keep_on() noexcept {
    enter();
    if (locks_ && !locked_) {
        locked_ = sys::real.ftrylockfile(file_) == 0;
    }
}

void stream_hold::unlock() noexcept {
    if (std::exchange(locked_, false)) {
        sys::real.funlockfile(file_);
    }
}

bool stream_hold::lend() noexcept {
    if (outer_ != nullptr || !kept_ || (locked_ && times_locked(file_) != 1)) {
        return false;
    }
    unlock();
    return true;
}

void stream_hold::take_back(io::options& o) noexcept {
    if (locks_) {
        wait_for_threads(o, false);
    }
}

void stream_hold::release() noexcept {
    if (outer_ != nullptr) {
        std::exchange(outer_, nullptr)->leave();
        return;
    }
    if (std::exchange(kept_, false)) {
        holds::remove(hub_, *this);
        pass_on();
    }
    unlock();
}

/// How long the next fiber is to leave the FILE to other threads; zero: its lock goes with it.
std::chrono::microseconds stream_hold::pause_for_others() noexcept {
    if (!locked_ || waiting_ == nullptr || single_threaded()) {
        return {};
    }
    const time_point now = hub_.now();
    if (passed_on_since_ == time_point{}) {
        passed_on_since_ = now;
    }
    if (now - passed_on_since_ < patience) {
        return {};
    }
    passed_on_since_ = {};
    return waiting_hub::any(file_) ? for_hubs : for_threads;
}

/// To the first who waits, with the FILE's own lock.
void stream_hold::pass_on() noexcept {
    const std::chrono::microseconds aside = pause_for_others();
    if (aside.count() != 0) {
        unlock();
    }
    while (waiter* const w = pop_waiter(waiting_)) {
        auto& heir = static_cast<stream_hold&>(*w);
        const ticket its = heir.who;
        if (hub_core::win(its, wake::ready)) {
            heir.waiting_ = std::exchange(waiting_, nullptr);
            heir.locked_ = std::exchange(locked_, false);
            heir.aside_ = aside;
            heir.passed_on_since_ = passed_on_since_;
            heir.kept_ = holds::enter(hub_, heir);
            hub_core::make_runnable(*its.fiber);
            return;
        }
    }
}

void stream_hold::close() noexcept {
    if (outer_ != nullptr) { // flockfile, then fclose
        stream_hold* const outer = std::exchange(outer_, nullptr);
        outer->close();
        if (outer->programs_) {
            delete outer;
        }
        return;
    }
    if (std::exchange(kept_, false)) {
        holds::remove(hub_, *this);
        dismiss();
    }
    unlock();
}

void stream_hold::dismiss() noexcept {
    while (waiter* const w = pop_waiter(waiting_)) {
        hub_core::wake_up(w->who, wake::closed);
    }
}

/// The holder is to end as soon as it can, and nobody else comes before this one.
int stream_hold::acquire_to_close(io::options& o) noexcept {
    stream_hold* const holder = holds::find(hub_, file_);
    if (holder != nullptr && holder->owner_ != hub_.running_id()) {
        if (std::exchange(holder->closing_, true)) {
            return -EBADF;
        }
        holder->dismiss();
    }
    return acquire(o, false);
}

} // namespace tendril::detail::stdio
