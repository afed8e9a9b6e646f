// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/group_core.hpp>
#include <tendril/detail/pool_items.hpp>
#include <tendril/detail/receiving_iterator.hpp>
#include <tendril/detail/semaphore_core.hpp>
#include <tendril/fiber.hpp>
#include <tendril/task_group.hpp>

#include <cstddef>
#include <functional>
#include <iterator>
#include <list>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tendril {
inline namespace v1 {

template <typename Range, typename Function>
class unordered_results;

/// Fibers of which only so many run at a time: whoever spawns one more waits for a place. For what
/// fibers ask of others: connections, file descriptors, a server's patience.
///
/// Nothing outlives it: the destructor cancels what still runs and waits for it, as that of a
/// task_group. Any thread may spawn, cancel and join.
///
/// A fiber of the pool that spawns into the same pool waits for a place while it keeps its own: if
/// all do that, they wait for ever.
class fiber_pool {
public:
    /// @param size how many fibers run at a time, at least 1.
    /// @param options of each fiber; the name is that of all.
    /// @throws std::system_error EINVAL: a size of 0.
    explicit fiber_pool(std::size_t size, spawn_options options = {})
        : places_(detail::checked_pool_size(size))
        , size_(size)
        , options_(std::move(options)) {}
    ~fiber_pool() = default;
    fiber_pool(const fiber_pool&) = delete;
    fiber_pool& operator=(const fiber_pool&) = delete;

    /// Waits until there is a place, then starts a fiber, as tendril::spawn does. Who waits longest
    /// is served first. What the fiber fails with is the handle's to get; the others go on.
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>): none was started. As tendril::spawn.
    template <typename Function, typename... Args>
    [[gnu::always_inline]] auto spawn(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::fiber_of<Function, Args...>> {
        places_.acquire_until(detail::steady_time::max(), "place in a fiber pool");
        return spawn_at(detail::pool_place(places_), group_, std::forward<Function>(function),
                        std::forward<Args>(args)...);
    }

    /// Starts a fiber if there is a place now. Function and arguments are copied or moved only
    /// then.
    /// @returns a handle of no fiber if there is none.
    template <typename Function, typename... Args>
    [[gnu::always_inline]] auto try_spawn(Function&& function, Args&&... args)
        -> std::enable_if_t<detail::is_function<Function, Args...>,
                            detail::fiber_of<Function, Args...>> {
        if (!places_.try_acquire()) {
            return {};
        }
        return spawn_at(detail::pool_place(places_), group_, std::forward<Function>(function),
                        std::forward<Args>(args)...);
    }

    /// Calls `function(item)` for each item of a range, each in a fiber of the pool, and returns
    /// the results in the order of the items: a std::vector, or nothing if the function returns
    /// nothing. The range is walked by the caller, who waits while the pool is full; so it may be
    /// endless in itself, or a channel. Items of a range that can be walked only once are moved
    /// from.
    ///
    ///     auto pages = pool.map(urls, fetch);
    ///
    /// @throws what the function throws: the first error ends the walk and cancels the other fibers
    /// of this map(), and when they have ended it is thrown; several errors as `task_errors`.
    /// cancelled, timed_out likewise.
    template <typename Range, typename Function>
    auto map(Range&& items, Function function) {
        using result = detail::mapped<Range, Function>;
        std::vector<fiber<result>> jobs;
        with_task_group([&](task_group& group) {
            for (auto at = std::begin(items), end = std::end(items); at != end; ++at) {
                places_.acquire_until(detail::steady_time::max(), "place in a fiber pool");
                detail::pool_place place(places_); // before the item, which may throw
                jobs.push_back(spawn_at(std::move(place), group.core_,
                                        detail::item_call<Range, Function>(function, at)));
            }
        });
        if constexpr (!std::is_void_v<result>) {
            std::vector<detail::kept_result_of<result>> results;
            results.reserve(jobs.size());
            for (fiber<result>& each : jobs) {
                results.push_back(each.get());
            }
            return results;
        } else {
            for (fiber<result>& each : jobs) {
                each.get(); // of one that was cancelled alone
            }
        }
    }

    /// Likewise, but gives the results one by one as they come:
    ///
    ///     for (page& p : pool.map_unordered(urls, fetch)) { … }
    ///
    /// New fibers are started by whoever asks for the next result, up to the size of the pool; so
    /// never more results than that are waiting to be asked for. What the function throws is thrown
    /// where its result would come. Leaving the loop early cancels the fibers that still run, and
    /// waits for them. The range has to be there meanwhile; a temporary one is kept.
    template <typename Range, typename Function>
    unordered_results<Range, Function> map_unordered(Range&& items, Function function) {
        return unordered_results<Range, Function>(*this, std::forward<Range>(items),
                                                  std::move(function));
    }

    /// Waits until none is left that spawn() and try_spawn() have started, those started meanwhile
    /// included. Does not throw what they failed with. If the caller gives up, they are cancelled
    /// and waited for first.
    /// @throws cancelled, timed_out; std::system_error EDEADLK: in a fiber of this pool.
    void join() { group_.wait(); }

    /// Cancels those that spawn() and try_spawn() have started. Does not wait. The pool can be used
    /// further.
    void cancel(const std::string& reason = {}) noexcept { group_.cancel(reason, false); }

    std::size_t size() const noexcept { return size_; } ///< how many may run
    /// How many run at present.
    std::size_t running() const noexcept {
        return size_ - static_cast<std::size_t>(places_.permits());
    }

private:
    template <typename Range, typename Function>
    friend class unordered_results;

    template <typename Function, typename... Args>
    [[gnu::always_inline]] auto spawn_at(detail::pool_place place, detail::group_core& group,
                                         Function&& function, Args&&... args) {
        return detail::spawner::spawn_in(
            {group}, options_, nullptr,
            detail::placed_call<std::decay_t<Function>, std::decay_t<Args>...>(
                std::move(place), std::forward<Function>(function), std::forward<Args>(args)...));
    }

    detail::semaphore_core places_;
    std::size_t size_;
    spawn_options options_;
    detail::group_core group_{false}; // ends first
};

/// The results of fiber_pool::map_unordered(), as they come. To be used by one fiber at a time.
template <typename Range, typename Function>
class unordered_results {
    using result = detail::mapped<Range, Function>;
    static_assert(!std::is_void_v<result>, "map() is for functions that return nothing");

public:
    using value_type = detail::kept_result_of<result>;

    unordered_results(const unordered_results&) = delete;
    unordered_results& operator=(const unordered_results&) = delete;

    /// Waits for one more result. Nothing: all have been.
    /// @throws what the function threw; the next call goes on with the others.
    std::optional<value_type> next() {
        start_some();
        if (jobs_.empty()) {
            return std::nullopt;
        }
        job* const done = static_cast<job*>(ended_.next(detail::steady_time::max()));
        std::list<job> mine = take(done);
        return std::optional<value_type>(mine.front().handle.get());
    }

    /// For range-for: waits at each step.
    using iterator =
        detail::receiving_iterator<unordered_results, value_type, &unordered_results::next>;
    iterator begin() { return iterator(*this); } ///< waits for the first
    iterator end() { return {}; }

private:
    friend class fiber_pool;

    struct job : detail::awaited {
        explicit job(fiber<result> f)
            : awaited(detail::wait_access::of(f))
            , handle(std::move(f)) {}
        fiber<result> handle;
        typename std::list<job>::iterator self;
    };

    unordered_results(fiber_pool& pool, Range&& items, Function function)
        : pool_(pool)
        , items_(std::forward<Range>(items))
        , function_(std::move(function))
        , at_(std::begin(items_))
        , end_(std::end(items_)) {}

    /// Waits for a place only if there is nothing else to wait for.
    void start_some() {
        while (jobs_.size() < pool_.size_ && at_ != end_) {
            if (!jobs_.empty()) {
                if (!pool_.places_.try_acquire()) {
                    return;
                }
            } else {
                pool_.places_.acquire_until(detail::steady_time::max(), "place in a fiber pool");
            }
            detail::pool_place place(pool_.places_);
            jobs_.emplace_front(pool_.spawn_at(std::move(place), group_,
                                               detail::item_call<Range, Function>(function_, at_)));
            jobs_.front().self = jobs_.begin();
            ended_.watch(jobs_.front());
            ++at_;
        }
    }

    std::list<job> take(job* done) noexcept {
        std::list<job> one;
        one.splice(one.begin(), jobs_, done->self);
        return one;
    }

    fiber_pool& pool_;
    Range items_;
    Function function_;
    decltype(std::begin(std::declval<std::remove_reference_t<Range>&>())) at_;
    decltype(std::end(std::declval<std::remove_reference_t<Range>&>())) end_;
    std::list<job> jobs_;
    detail::collector ended_;
    detail::group_core group_{false}; // ends first: waits for all
};

} // namespace v1
} // namespace tendril
