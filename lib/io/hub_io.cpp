// SPDX-License-Identifier: BSL-1.0
#include "io/hub_io.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>

namespace tendril::detail::io {

namespace {

constexpr std::uint32_t always_watched = readiness::in | readiness::pri | readiness::rdhup;
constexpr std::uint32_t seen_bits =
    readiness::rdhup | readiness::hup | readiness::err | readiness::pri;

} // namespace

hub_io& hub_io::make(hub_core& hub) {
    auto made = std::make_unique<hub_io>(hub);
    hub_io& io = *made;
    hub.extension(extension_slot::io) = std::move(made);
    hub.set_listener(&io);
    return io;
}

// ---------------------------------------------------------------------------------------- waiting

/// The source to use from now on, under the entry's lock. Null: one must be added first.
source* hub_io::claim(fd_entry& e) noexcept {
    source* vacant = nullptr;
    for (source* s = &e.first; s != nullptr; s = s->following()) {
        hub_io* owner = s->owner.load(std::memory_order_relaxed);
        if (owner == this) {
            return s;
        }
        if (owner == nullptr && vacant == nullptr) {
            vacant = s;
        }
    }
    if (vacant != nullptr) {
        vacant->owner.store(this, std::memory_order_relaxed);
        vacant->state.store(0, std::memory_order_relaxed);
    }
    return vacant;
}

int hub_io::enlist(int fd, fd_waiter& w) noexcept {
    fd_entry* const e = fd_table::at(fd);
    if (e == nullptr) {
        return -ENOMEM;
    }
    const std::uint32_t need = always_watched | (w.want & readiness::out);
    std::unique_ptr<source> spare;
    std::unique_lock lock(e->lock);
    source* s = claim(*e);
    while (s == nullptr) {
        lock.unlock();
        spare.reset(new (std::nothrow) source);
        if (spare == nullptr) {
            return -ENOMEM;
        }
        lock.lock();
        spare->next.store(e->first.following(), std::memory_order_relaxed);
        e->first.next.store(spare.release(), std::memory_order_release);
        s = claim(*e);
    }
    const std::uint32_t closings = e->closings.load(std::memory_order_relaxed);
    if (w.bound && w.closings != closings) {
        return -EBADF;
    }
    w.closings = closings;
    link(*s, w);
    const int result = (need & ~s->watched) != 0 ? watch(fd, *s, need) : 0;
    lock.unlock();
    age(fd);
    return result;
}

/// Under the entry's lock, although these are system calls: whoever closes the fd must find it
/// either registered or not.
int hub_io::watch(int fd, source& s, std::uint32_t need) noexcept {
    const bool add = s.watched == 0;
    s.watched = static_cast<std::uint8_t>(s.watched | need);
    s.generation += add ? 1 : 0;
    int error = add ? poller().watch(fd, s.token(fd), s.watched)
                    : poller().rewatch(fd, s.token(fd), s.watched);
    if (error == EEXIST) { // left over from a time when the fd was thought closed
        error = poller().rewatch(fd, s.token(fd), s.watched);
    } else if (error == ENOENT) {
        error = watch_anew(fd, s);
    }
    if (error == 0) {
        return 0;
    }
    s.watched = 0;
    return error == EPERM ? always_ready : -error;
}

/// Another description has come under this number behind our back. What is reported for the old
/// one, if that lives on elsewhere, is stale from here on.
int hub_io::watch_anew(int fd, source& s) noexcept {
    ++s.generation;
    s.state.store(0, std::memory_order_relaxed);
    const int error = poller().watch(fd, s.token(fd), s.watched);
    return error == EEXIST ? poller().rewatch(fd, s.token(fd), s.watched) : error;
}

void hub_io::leave(int fd, fd_waiter& w) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (e == nullptr) {
        return;
    }
    if (w.linked.load(std::memory_order_acquire)) {
        const std::lock_guard lock(e->lock);
        // If still linked, then to a source of this hub: none is given away with waiters in it.
        if (w.linked.load(std::memory_order_relaxed)) {
            unlink(*own(*e), w);
        }
    }
    // Between the edge that woke the fiber and its turn, another may have closed the fd.
    w.closed = w.closed || w.closings != e->closings.load(std::memory_order_acquire);
}

int hub_io::wait(int fd, std::uint32_t want, time_point deadline, const wait_reason& why,
                 std::uint32_t closings, const patient_calls* calls) noexcept {
    fd_waiter w;
    w.bound = true;
    w.closings = closings;
    w.want = want;
    w.consumes = true;
    w.who = hub_.prepare();
    time_point until = deadline;
    if (const int refused = enlist(fd, w); refused != 0) {
        if (refused != always_ready && refused != -EBADF) {
            until = std::min(deadline, hub_.now() + retry_interval);
        } else if (hub_core::withdraw(w.who)) {
            leave(fd, w);
            return refused;
        }
    }
    if (calls != nullptr && calls->may_go_on() && hub_core::withdraw(w.who)) {
        leave(fd, w);
        return 0;
    }
    const wake end = hub_.park(w.who, why, until);
    leave(fd, w);
    return w.closed ? -EBADF : outcome(end, until == deadline);
}

int hub_io::outcome(wake end, bool at_deadline) noexcept {
    switch (end) {
    case wake::ready:
        return 0;
    case wake::timeout:
        return at_deadline ? -ETIMEDOUT : 0;
    case wake::closed:
        return -EBADF;
    case wake::interrupted:
        return -EINTR;
    default:
        return -ECANCELED;
    }
}

// ----------------------------------------------------------------------------------------- waking

void hub_io::on_ready(std::uint64_t token, std::uint32_t events) noexcept {
    if (token == period_token) {
        tick();
        return;
    }
    const int fd = static_cast<int>(token & 0xffffffff);
    fd_entry* const e = fd_table::find(fd);
    if (e != nullptr) {
        const std::lock_guard lock(e->lock);
        source* s = own(*e);
        if (s != nullptr && s->watched != 0 && s->generation == token >> 32) {
            std::uint8_t state = s->state.load(std::memory_order_relaxed);
            if ((events & ~readiness::out) != 0) {
                state = static_cast<std::uint8_t>(state & ~source::drained);
            }
            s->state.store(static_cast<std::uint8_t>(state | (events & seen_bits)),
                           std::memory_order_relaxed);
            wake_interested(*s, events);
            return;
        }
    }
    stale();
}

void hub_io::prefetch(std::uint64_t token, bool again) noexcept {
    const fd_entry* const e = fd_table::find(static_cast<int>(token & 0xffffffff));
    if (e == nullptr) {
        return; // also of tokens that are not an fd's
    }
    const void* found = e;
    if (again) {
        found = e->first.waiters.load(std::memory_order_relaxed);
    }
    __builtin_prefetch(found);
}

/// Everybody who only looks, and one of those who will take the readiness away; that one passes it
/// on if it leaves anything. After an error or hang-up every call returns at once: all wake.
void hub_io::wake_interested(source& s, std::uint32_t events) noexcept {
    const bool all = (events & (readiness::hup | readiness::err)) != 0;
    if (all) {
        events |= readiness::in | readiness::out | readiness::pri | readiness::rdhup;
    } else if ((events & readiness::rdhup) != 0) {
        events |= readiness::in;
    }
    std::uint32_t left = events; // for consumers
    fd_waiter* w = s.waiters.load(std::memory_order_relaxed);
    if (w == nullptr) {
        return;
    }
    fd_waiter* const last = w->prev;
    for (bool more = true; more;) {
        fd_waiter* const following = w->next;
        more = w != last;
        const bool consumes = w->consumes;
        const std::uint32_t want = w->want;
        if ((want & (consumes ? left : events)) != 0) {
            if (wake_waiter(s, *w, wake::ready) && consumes && !all) {
                left &= ~want;
            }
        }
        w = following;
    }
}

void hub_io::pass_on(int fd, std::uint32_t bit) noexcept {
    fd_entry* const e = fd_table::find(fd);
    if (e == nullptr) {
        return;
    }
    const source* known = own(*e);
    if (known == nullptr || known->waiters.load(std::memory_order_relaxed) == nullptr) {
        return;
    }
    const std::lock_guard lock(e->lock);
    source* s = own(*e);
    fd_waiter* w = s == nullptr ? nullptr : s->waiters.load(std::memory_order_relaxed);
    fd_waiter* const last = w == nullptr ? nullptr : w->prev;
    while (w != nullptr) {
        fd_waiter* const following = w == last ? nullptr : w->next;
        if (w->consumes && (w->want & bit) != 0 && wake_waiter(*s, *w, wake::ready)) {
            return;
        }
        w = following;
    }
}

int hub_io::accept(int fd, sockaddr* peer, socklen_t* peer_size, int flags) noexcept {
    if (!uring_accept::allowed.load(std::memory_order_relaxed)) {
        return -EOPNOTSUPP;
    }
    if (!acceptor_tried_) {
        acceptor_ = uring_accept::make();
        // Out of fds it will be tried again.
        acceptor_tried_ = acceptor_ != nullptr || (errno != EMFILE && errno != ENFILE);
    }
    if (acceptor_ == nullptr) {
        return -EOPNOTSUPP;
    }
    const int r = acceptor_->accept(fd, peer, peer_size, flags);
    if (r == -EOPNOTSUPP) {
        acceptor_.reset();
    }
    return r;
}

// ---------------------------------------------------------------------------------- end and fork

void hub_io::give_up_sources() noexcept {
    fd_table::for_each(
        [](void* self, int, fd_entry& e) {
            auto* const io = static_cast<hub_io*>(self);
            if (io->own(e) == nullptr) {
                return;
            }
            const std::lock_guard lock(e.lock);
            if (source* s = io->own(e)) {
                // Whoever still waits here belongs to a fiber that will never run again.
                s->waiters.store(nullptr, std::memory_order_relaxed);
                s->watched = 0;
                ++s->generation;
                s->owner.store(nullptr, std::memory_order_relaxed);
            }
        },
        this);
}

void hub_io::ending() noexcept {
    give_up_sources();
    // The reactor goes to the next thread that needs a hub.
    poller().reset();
}

hub_io::~hub_io() {
    give_up_sources();
    close_period();
}

void hub_io::forked() {
    fd_table::forked();
    close_period(); // shared with the parent
    acceptor_.reset();
    acceptor_tried_ = false;
    young_.clear();
    old_.clear();
}

} // namespace tendril::detail::io
