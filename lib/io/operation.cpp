// SPDX-License-Identifier: BSL-1.0
#include "io/operation.hpp"

#include <algorithm>
#include <new>
#include <system_error>

namespace tendril::detail::io {

hub_io* this_hub(int& error) noexcept {
    try {
        return &hub_io::of(hub_core::current());
    } catch (const std::system_error& e) {
        error = e.code().value();
    } catch (const std::bad_alloc&) {
        error = ENOMEM;
    }
    return nullptr;
}

/// What limits this call, looked up only when it has to wait.
void operation::begin_waiting() noexcept {
    begun_ = true;
    limit_ = options_.deadline;
    expiry_ = -ETIMEDOUT;
    if (!options_.as_program) {
        return;
    }
    const std::uint8_t traits = traits_of(fd_, direction_.bit == readiness::out);
    nonblock_ = (traits & (trait::nonblock | direction_.never_trait)) != 0;
    if ((traits & direction_.timeout_trait) != 0 && !nonblock_) {
        const auto timeout = socket_timeout(fd_, direction_.timeout_option);
        if (timeout.count() != 0 && io_->hub().now() + timeout < limit_) {
            limit_ = io_->hub().now() + timeout;
            expiry_ = program_expiry_;
            interrupted_always(); // signal(7): a socket with a timeout
        }
    }
}

/// A wait may have parts; handlers that ran between them count as well.
int operation::begin_part() noexcept {
    if (!begun_) {
        begin_waiting();
    }
    if (nonblock_) {
        return -EAGAIN;
    }
    if (part_done_ && options_.as_program) {
        interrupted_always();
    }
    options_.waited = true;
    parked_ = true;
    why_.since = options_.begun = options_.begun != 0 ? options_.begun : io_->hub().switches();
    return io_->hub().is_interrupted(why_) ? -EINTR : 0;
}

int operation::wait() noexcept {
    if (const int end = begin_part(); end != 0) {
        return end;
    }
    const int r = io_->wait(fd_, direction_.bit, limit_, why_, closings_, calls_);
    return r == -ETIMEDOUT ? expiry_ : r;
}

int operation::wait_until(time_point retry, std::uint32_t want) noexcept {
    if (const int end = begin_part(); end != 0) {
        return end;
    }
    // Even for no edge, because closing the fd ends it.
    const int r = io_->wait(fd_, want, std::min(retry, limit_), why_, closings_);
    if (r != -ETIMEDOUT) {
        return r;
    }
    return retry < limit_ ? 0 : expiry_;
}

bool operation::emptied(ssize_t n, std::size_t size) noexcept {
    if (n <= 0 || static_cast<std::size_t>(n) >= size) {
        return false;
    }
    fd_entry* const e = fd_table::find(fd_);
    if (e == nullptr || e->first.owner.load(std::memory_order_relaxed) != io_) {
        return false; // nobody waited for it here yet; a proof would be of no use
    }
    const std::uint8_t state = e->first.state.load(std::memory_order_relaxed);
    if ((state & ~source::drained) != 0 || kind_of(fd_) != fd_kind::tcp) {
        return false;
    }
    e->first.state.store(source::drained, std::memory_order_relaxed);
    return true;
}

} // namespace tendril::detail::io
