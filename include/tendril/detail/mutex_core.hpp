// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/wait_queue.hpp>
#include <tendril/export.hpp>

namespace tendril {
namespace detail {

/// A lock with an owner, handed from one to the next in the order of their coming.
class TENDRIL_EXPORT mutex_core {
public:
    constexpr mutex_core() noexcept = default;
    ~mutex_core() { queue_.end("mutex", this); }

    void lock();
    bool try_lock() noexcept;
    bool lock_until(steady_time deadline);
    void unlock();
    bool is_mine() const noexcept; ///< the calling fiber holds it

private:
    bool wait(std::uint64_t self, std::uint64_t seen, steady_time deadline);
    void hand_over(std::uint64_t self);

    wait_queue queue_; // the word: 0, or the owner, or 8 and who it was handed to
};

/// Shared by many or held by one; whoever comes waits behind those who wait already.
class TENDRIL_EXPORT shared_mutex_core {
public:
    constexpr shared_mutex_core() noexcept = default;
    ~shared_mutex_core() { queue_.end("shared_mutex", this); }

    bool try_lock() noexcept;
    bool lock_until(steady_time deadline);
    void unlock();
    bool try_lock_shared() noexcept;
    bool lock_shared_until(steady_time deadline);
    void unlock_shared();

private:
    bool enter(std::uint64_t& value, std::uint64_t self, bool shared) noexcept;
    bool wait(std::uint64_t self, bool shared, steady_time deadline);

    // The word: 0, or the owner, or 8 and who it was handed to, or 4 and above it how many share.
    wait_queue queue_;
};

/// Wakes those who wait for a condition that a mutex guards.
class TENDRIL_EXPORT condition_core {
public:
    constexpr condition_core() noexcept = default;
    ~condition_core() { queue_.end("condition_variable", this); }

    void notify_one() noexcept;
    void notify_all() noexcept;
    /// False: the deadline passed. The mutex is locked again in any case. EPERM: there is none, or
    /// it is not the caller's.
    bool wait_until(mutex_core* held, steady_time deadline);

private:
    wait_queue queue_;
};

} // namespace detail
} // namespace tendril
