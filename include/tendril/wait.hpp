// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/cancel.hpp>
#include <tendril/detail/collector.hpp>
#include <tendril/detail/receiving_iterator.hpp>
#include <tendril/detail/wait_access.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// Waiting for several things at once. A thing is a `fiber`, which is done when it has ended; a
/// `future` or `shared_future`, when it has its result; or an `event`, when it is set. They may be
/// given one by one, of different kinds, as pointers or std::reference_wrapper to them, and as
/// ranges of any of these.
///
/// However many there are, one wait is all it takes: each thing that is done costs the same, no
/// fiber helps, nothing is asked twice. They may belong to any hubs. The caller may be any fiber,
/// main ones included, or a plain thread, which gets a hub if it must wait. The things have to be
/// there until the call returns.
///
/// What these throw: `cancelled` and `timed_out` (<tendril/cancel.hpp>); std::system_error with
/// EDEADLK if a fiber waits for itself, and EINVAL for a handle of no fiber; std::future_error for
/// a future of no promise; std::bad_alloc, of ranges only. But for gather() they never throw what a
/// thing has failed with: ask it by get().
namespace tendril {

namespace detail {

template <typename Result, typename... Things>
using if_things = std::enable_if_t<can_wait_for<Things...>, Result>;

template <typename... Things>
bool all_until(steady_time deadline, Things&... things) {
    awaited_list<Things...> list(things...);
    return wait_for_all(list.first(), list.size(), deadline);
}

template <typename... Things>
std::optional<std::size_t> any_until(steady_time deadline, Things&... things) {
    awaited_list<Things...> list(things...);
    std::size_t which = 0;
    const std::size_t got = wait_for_some(list.first(), list.size(), 1, &which, deadline);
    return got == 1 ? std::optional<std::size_t>(which) : std::nullopt;
}

template <typename... Things>
std::vector<std::size_t> some_until(steady_time deadline, std::size_t count, Things&... things) {
    awaited_list<Things...> list(things...);
    std::vector<std::size_t> which(count < list.size() ? count : list.size());
    which.resize(wait_for_some(list.first(), list.size(), count, which.data(), deadline));
    return which;
}

} // namespace detail

inline namespace v1 {

/// Waits until all are done. Does not throw what they failed with.
template <typename... Things>
detail::if_things<void, Things...> join_all(Things&&... things) {
    detail::all_until(detail::steady_time::max(), things...);
}

/// Likewise, for at most `duration` (zero or negative: only looks).
/// @returns whether all are done.
template <typename Rep, typename Period, typename... Things>
detail::if_things<bool, Things...> join_all_for(const std::chrono::duration<Rep, Period>& duration,
                                                Things&&... things) {
    return detail::all_until(detail::deadline_after(duration), things...);
}

/// Likewise, until `deadline`.
template <typename Clock, typename Duration, typename... Things>
detail::if_things<bool, Things...>
join_all_until(const std::chrono::time_point<Clock, Duration>& deadline, Things&&... things) {
    return detail::all_until(detail::deadline_at(deadline), things...);
}

/// Waits until one is done.
/// @returns its index, counted through all that was given; the first of those that were done
/// already.
/// @throws std::system_error EINVAL: there is nothing to wait for.
template <typename... Things>
detail::if_things<std::size_t, Things...> wait_any(Things&&... things) {
    return *detail::any_until(detail::steady_time::max(), things...);
}

/// Likewise, for at most `duration` (zero or negative: only looks).
/// @returns nothing if none is done.
template <typename Rep, typename Period, typename... Things>
detail::if_things<std::optional<std::size_t>, Things...>
wait_any_for(const std::chrono::duration<Rep, Period>& duration, Things&&... things) {
    return detail::any_until(detail::deadline_after(duration), things...);
}

/// Likewise, until `deadline`.
template <typename Clock, typename Duration, typename... Things>
detail::if_things<std::optional<std::size_t>, Things...>
wait_any_until(const std::chrono::time_point<Clock, Duration>& deadline, Things&&... things) {
    return detail::any_until(detail::deadline_at(deadline), things...);
}

/// Waits until `count` of them are done.
/// @returns the indices of these, in the order in which they were done.
/// @throws std::system_error EINVAL: there are not so many.
template <typename... Things>
detail::if_things<std::vector<std::size_t>, Things...> wait_n(std::size_t count,
                                                              Things&&... things) {
    return detail::some_until(detail::steady_time::max(), count, things...);
}

/// Likewise, for at most `duration` (zero or negative: only looks).
/// @returns fewer indices if fewer are done.
template <typename Rep, typename Period, typename... Things>
detail::if_things<std::vector<std::size_t>, Things...>
wait_n_for(const std::chrono::duration<Rep, Period>& duration, std::size_t count,
           Things&&... things) {
    return detail::some_until(detail::deadline_after(duration), count, things...);
}

/// Likewise, until `deadline`.
template <typename Clock, typename Duration, typename... Things>
detail::if_things<std::vector<std::size_t>, Things...>
wait_n_until(const std::chrono::time_point<Clock, Duration>& deadline, std::size_t count,
             Things&&... things) {
    return detail::some_until(detail::deadline_at(deadline), count, things...);
}

/// The elements of a range in the order in which they are done; made by as_completed().
template <typename Range>
class completions {
public:
    /// What the range holds: a fiber, say.
    using value_type = std::remove_reference_t<decltype(*std::begin(
        std::declval<std::remove_reference_t<Range>&>()))>;

    explicit completions(Range&& range)
        : range_(std::forward<Range>(range)) {
        for (value_type& each : range_) {
            entries_.emplace_back(each);
            all_.watch(entries_.back());
        }
    }
    completions(const completions&) = delete;
    completions& operator=(const completions&) = delete;

    /// Waits until one more is done. Null: all have been.
    value_type* next() { return next_before(detail::steady_time::max()); }

    /// Waits for at most `duration`. Null: none is done by then, or left() is 0.
    template <typename Rep, typename Period>
    value_type* next_for(const std::chrono::duration<Rep, Period>& duration) {
        return next_before(detail::deadline_after(duration));
    }

    /// Waits until `deadline` at most.
    template <typename Clock, typename Duration>
    value_type* next_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return next_before(detail::deadline_at(deadline));
    }

    std::size_t left() const noexcept { return entries_.size() - taken_; } ///< not returned yet

    /// For range-for: waits at each step.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = completions::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = value_type*;
        using reference = value_type&;

        iterator() = default; ///< the end
        explicit iterator(completions& of)
            : of_(&of)
            , at_(of.next()) {}
        reference operator*() const noexcept { return *at_; }
        pointer operator->() const noexcept { return at_; }
        iterator& operator++() {
            at_ = of_->next();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.at_ == b.at_;
        }
        friend bool operator!=(const iterator& a, const iterator& b) noexcept { return !(a == b); }

    private:
        completions* of_ = nullptr;
        value_type* at_ = nullptr;
    };
    iterator begin() { return iterator(*this); } ///< waits for the first
    iterator end() noexcept { return {}; }

private:
    struct entry : detail::awaited {
        explicit entry(value_type& what)
            : awaited(detail::wait_access::of(detail::referred(what)))
            , element(std::addressof(what)) {}
        value_type* element;
    };

    value_type* next_before(detail::steady_time deadline) {
        if (left() == 0) {
            return nullptr;
        }
        detail::awaited* const one = all_.next(deadline);
        if (one == nullptr) {
            return nullptr;
        }
        ++taken_;
        return static_cast<entry*>(one)->element;
    }

    Range range_;
    std::deque<entry> entries_; // which stay where they are
    detail::collector all_;     // ends first
    std::size_t taken_ = 0;
};

/// Indices of several things in the order in which they are done; made by as_completed().
template <typename... Things>
class completion_indices {
public:
    explicit completion_indices(Things&... things)
        : list_(things...) {
        for (std::size_t i = 0; i < list_.size(); ++i) {
            all_.watch(list_.first()[i]);
        }
    }
    completion_indices(const completion_indices&) = delete;
    completion_indices& operator=(const completion_indices&) = delete;

    /// Waits until one more is done. Nothing: all have been.
    std::optional<std::size_t> next() {
        if (taken_ == list_.size()) {
            return std::nullopt;
        }
        ++taken_;
        return static_cast<std::size_t>(all_.next(detail::steady_time::max()) - list_.first());
    }

    /// For range-for: waits at each step.
    using iterator =
        detail::receiving_iterator<completion_indices, std::size_t, &completion_indices::next>;
    iterator begin() { return iterator(*this); } ///< waits for the first
    iterator end() { return {}; }

private:
    detail::awaited_list<Things...> list_;
    detail::collector all_;
    std::size_t taken_ = 0;
};

/// A range over the elements of `things` in the order in which they are done.
///
///     for (auto& f : tendril::as_completed(fibers)) {
///         use(f.get());
///     }
///
/// The range must stay as it is meanwhile, but for moving and destroying elements that have been
/// returned; a temporary one is kept. What is returned is to be used by one fiber at a time, on
/// the thread that made it. The loop may be left early.
template <typename Range>
auto as_completed(Range&& things) -> std::enable_if_t<detail::is_many<Range>, completions<Range>> {
    return completions<Range>(std::forward<Range>(things));
}

/// Likewise over several things, of any kinds: their indices.
template <typename... Things>
auto as_completed(Things&... things)
    -> std::enable_if_t<(detail::is_single<Things> && ...), completion_indices<Things...>> {
    return completion_indices<Things...>(things...);
}

} // namespace v1

namespace detail {

/// Of fibers that were given as temporaries: when gather() does not come to its end, nobody else
/// can wait for them, and they may use what the caller destroys next.
template <typename Thing>
class end_with_call {
public:
    explicit end_with_call(Thing& given) noexcept
        : given_(given) {}
    ~end_with_call() {
        if constexpr (!std::is_lvalue_reference_v<Thing>) {
            each([](auto& f) { f.cancel("gather was given up"); });
            const shield finish;
            each([](auto& f) { f.join(); });
        }
    }
    end_with_call(const end_with_call&) = delete;
    end_with_call& operator=(const end_with_call&) = delete;

private:
    template <typename T, typename Visit>
    static void visit(fiber<T>& f, Visit what) {
        if (f.joinable() && !f.ready()) {
            what(f);
        }
    }
    template <typename Other, typename Visit>
    static void visit(const Other&, Visit) noexcept {}

    template <typename Visit>
    void each(Visit what) {
        if constexpr (is_single<Thing>) {
            visit(given_, what);
        } else {
            for (auto& one : given_) {
                visit(one, what);
            }
        }
    }

    Thing& given_;
};

} // namespace detail

inline namespace v1 {

/// Waits until all are done, and returns what get() returns of each, in the order of the arguments:
/// a std::tuple, with std::monostate for an event and for what returns nothing. The result of a
/// shared_future is copied.
///
///     auto [page, size] = tendril::gather(tendril::spawn(fetch, url), tendril::spawn(measure));
///
/// All come to their end, also when one fails. Fibers given as temporaries do not outlive the call:
/// if it is given up, they are cancelled and waited for. A task_group ends the others when one
/// fails.
/// @throws what the first in the order of the arguments has failed with. What further temporaries
/// failed with goes to stderr, as of every fiber whose result nobody takes.
template <typename... Things>
auto gather(Things&&... things) -> std::enable_if_t<(detail::is_single<Things> && ...),
                                                    std::tuple<detail::gathered<Things>...>> {
    [[maybe_unused]] const std::tuple<detail::end_with_call<Things>...> ends(things...);
    join_all(things...);
    return std::tuple<detail::gathered<Things>...>{detail::value_of(detail::referred(things))...};
}

/// Likewise for a range: a std::vector; nothing, if they return nothing.
template <typename Range>
auto gather(Range&& things)
    -> std::enable_if_t<detail::is_many<Range>, detail::gathered_all<Range>> {
    const detail::end_with_call<Range> end(things);
    join_all(things);
    if constexpr (std::is_void_v<detail::gathered_all<Range>>) {
        for (auto& each : things) {
            detail::value_of(detail::referred(each));
        }
    } else {
        detail::gathered_all<Range> values;
        for (auto& each : things) {
            values.push_back(detail::value_of(detail::referred(each)));
        }
        return values;
    }
}

} // namespace v1
} // namespace tendril
