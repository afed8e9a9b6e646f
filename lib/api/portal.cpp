// SPDX-License-Identifier: BSL-1.0
#include <tendril/portal.hpp>

#include <cerrno>
#include <mutex>
#include <system_error>

namespace tendril {

namespace detail {

void calls_in_progress::enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) {
        throw std::system_error(ESRCH, std::system_category(), "a call through a closed portal");
    }
    ++inside_;
}

/// Tells before it unlocks: then nothing of this is touched.
void calls_in_progress::leave() noexcept {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0) {
        changed_.notify_all();
    }
}

void calls_in_progress::close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    while (inside_ != 0) {
        changed_.wait(lock);
    }
}

} // namespace detail

inline namespace v1 {

portal::~portal() {
    const shield to_the_end;
    calls_.close();
}

} // namespace v1
} // namespace tendril
