// SPDX-License-Identifier: BSL-1.0
#include <tendril/portal.hpp>

#include "hub/hub_core.hpp"

#include <cerrno>
#include <mutex>
#include <optional>
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
    std::optional<shield> to_the_end;
    if (detail::hub_core::current_or_null() != nullptr) { // else there is no fiber to be cancelled
        to_the_end.emplace();
    }
    calls_.close();
}

} // namespace v1
} // namespace tendril
