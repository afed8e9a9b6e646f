// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/mutex.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

namespace tendril {
inline namespace v1 {

class once_flag;
template <typename Function, typename... Args>
void call_once(once_flag& flag, Function&& function, Args&&... args);

/// std::once_flag, for tendril::call_once().
class once_flag {
public:
    constexpr once_flag() noexcept = default;
    once_flag(const once_flag&) = delete;
    once_flag& operator=(const once_flag&) = delete;

private:
    template <typename Function, typename... Args>
    friend void call_once(once_flag& flag, Function&& function, Args&&... args);

    std::atomic<bool> done_{false};
    mutex calling_;
};

/// std::call_once for fibers and plain threads: calls the function unless a call for this flag has
/// returned. While one is under way, others wait, parked; if it throws, the caller gets the
/// exception and the next in line calls.
/// @throws std::system_error EDEADLK: the function calls this for the same flag.
template <typename Function, typename... Args>
void call_once(once_flag& flag, Function&& function, Args&&... args) {
    if (flag.done_.load(std::memory_order_acquire)) {
        return;
    }
    const std::lock_guard<mutex> lock(flag.calling_);
    if (!flag.done_.load(std::memory_order_relaxed)) {
        std::invoke(std::forward<Function>(function), std::forward<Args>(args)...);
        flag.done_.store(true, std::memory_order_release);
    }
}

} // namespace v1
} // namespace tendril
