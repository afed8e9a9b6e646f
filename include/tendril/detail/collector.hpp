// SPDX-License-Identifier: BSL-1.0
#pragma once

// What <tendril/wait.hpp> and the like are built on. Nothing here is for direct use.

#include <tendril/detail/semaphore_core.hpp>
#include <tendril/detail/task.hpp>
#include <tendril/detail/wait_queue.hpp>
#include <tendril/export.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tendril {
namespace detail {

struct fiber_record;
class collector;

/// One of the things that somebody waits for at once. May be copied until it is watched.
struct awaited {
    awaited() noexcept = default;
    explicit awaited(task& t) noexcept
        : job(&t) {}
    explicit awaited(event_core& e) noexcept
        : happens(&e) {}

    task* job = nullptr;           ///< that it has ended, or
    event_core* happens = nullptr; ///< that it is set
    collector* of = nullptr;
    awaited* prev = nullptr; ///< among those that are watched
    awaited* next = nullptr; ///< likewise, or among those that are done
    bool watched = false;
    void* node[7] = {}; ///< the library's: in the list of the thing
};

/// Learns which of many things are done, in the order of their becoming so. One fiber waits here,
/// with one ticket, however many there are; each thing that is done costs the same.
class TENDRIL_EXPORT collector {
public:
    collector() noexcept = default;
    /// The things must still be there, but for those that next() has returned.
    ~collector();
    collector(const collector&) = delete;
    collector& operator=(const collector&) = delete;

    /// @throws std::system_error EDEADLK: the calling fiber itself.
    void watch(awaited& one);

    /// Waits until so many are done that have not been taken.
    bool wait(std::size_t count, steady_time deadline);
    /// Takes the first that is done. Null: none is.
    awaited* take() noexcept;
    awaited* next(steady_time deadline) { return wait(1, deadline) ? take() : nullptr; }

private:
    friend struct collector_access; // the library's side

    std::atomic<std::uint64_t> lock_{0};
    fiber_record* waiter_ = nullptr; ///< whose ticket is
    std::uint64_t ticket_ = 0;       ///< this, until
    std::size_t needed_ = 0;         ///< so many are done
    std::size_t done_count_ = 0;
    awaited* watched_ = nullptr;
    awaited* done_ = nullptr;
    awaited* last_done_ = nullptr;
};

/// Waits until `count` of `of` things are done, and writes down which, in the order of that.
/// Returns how many: fewer if the deadline passed.
/// @throws std::system_error EINVAL: there are not so many, so it would wait for ever.
TENDRIL_EXPORT std::size_t wait_for_some(awaited* first, std::size_t of, std::size_t count,
                                         std::size_t* which, steady_time deadline);
/// Likewise for all of them. Returns whether they are done.
TENDRIL_EXPORT bool wait_for_all(awaited* first, std::size_t of, steady_time deadline);

} // namespace detail
} // namespace tendril
