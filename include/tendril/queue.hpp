// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/receiving_iterator.hpp>
#include <tendril/detail/semaphore_core.hpp>
#include <tendril/mutex.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace tendril {
namespace detail {

/// First in, first out.
template <typename T>
class fifo_order {
public:
    void push(T&& value) { values_.push_back(std::move(value)); }
    T& next() noexcept { return values_.front(); }
    void pop() noexcept { values_.pop_front(); }
    std::size_t size() const noexcept { return values_.size(); }
    auto drain() { return std::exchange(values_, {}); }

private:
    std::deque<T> values_;
};

/// Last in, first out.
template <typename T>
class lifo_order {
public:
    void push(T&& value) { values_.push_back(std::move(value)); }
    T& next() noexcept { return values_.back(); }
    void pop() noexcept { values_.pop_back(); }
    std::size_t size() const noexcept { return values_.size(); }
    auto drain() { return std::exchange(values_, {}); }

private:
    std::deque<T> values_;
};

/// The smallest first; among equals, the first in.
template <typename T, typename Compare>
class priority_order {
public:
    explicit priority_order(Compare compare = {})
        : compare_(std::move(compare)) {}

    void push(T&& value) {
        heap_.push_back({std::move(value), entries_++});
        std::push_heap(heap_.begin(), heap_.end(), after());
    }
    /// Takes it to the end of the heap, from where pop() removes it.
    T& next() {
        std::pop_heap(heap_.begin(), heap_.end(), after());
        return heap_.back().value;
    }
    void pop() noexcept { heap_.pop_back(); }
    std::size_t size() const noexcept { return heap_.size(); }
    auto drain() { return std::exchange(heap_, {}); }

private:
    struct entry {
        T value;
        std::uint64_t number;
    };

    auto after() const {
        return [this](const entry& a, const entry& b) {
            return compare_(b.value, a.value) ||
                   (!compare_(a.value, b.value) && a.number > b.number);
        };
    }

    Compare compare_;
    std::vector<entry> heap_;
    std::uint64_t entries_ = 0;
};

} // namespace detail

inline namespace v1 {

/// What queue, lifo_queue and priority_queue share; made after Python's queue module.
///
/// Any number of fibers of any hubs, and plain threads, put and get; whoever waits parks, and its
/// thread runs other fibers. Those who wait are served in the order of their coming. Destroying it
/// while fibers wait says so on stderr and terminates.
///
/// After shutdown(), put throws std::system_error ESHUTDOWN, and so does get when nothing is left.
/// A cancelled fiber's wait throws, see <tendril/cancel.hpp>.
template <typename T, typename Order>
class basic_queue {
    static_assert(std::is_object_v<T> && std::is_nothrow_move_constructible_v<T>,
                  "put in what moves without throwing, e.g. a std::unique_ptr to it");

public:
    using value_type = T;

    /// @param max_size how many values it holds before put waits; 0: any number.
    explicit basic_queue(std::size_t max_size = 0, Order order = Order())
        : max_size_(max_size)
        , order_(std::move(order))
        , room_(max_size) {}
    basic_queue(const basic_queue&) = delete;
    basic_queue& operator=(const basic_queue&) = delete;
    ~basic_queue() {
        values_.end("queue", this);
        room_.end("queue", this);
        finished_.end("queue", this);
    }

    /// Waits for room, and puts the value in.
    void put(T value) { put_before(std::move(value), detail::steady_time::max()); }

    /// Puts it in if there is room. If not, returns false and leaves `value` alone.
    bool try_put(T&& value) { return put_before(std::move(value), detail::at_once); }
    bool try_put(const T& value) { return try_put(T(value)); }

    /// Waits like put(), for at most `duration`; false: in vain, and `value` is untouched.
    template <typename Rep, typename Period>
    bool put_for(T&& value, const std::chrono::duration<Rep, Period>& duration) {
        return put_before(std::move(value), detail::deadline_after(duration));
    }
    template <typename Rep, typename Period>
    bool put_for(const T& value, const std::chrono::duration<Rep, Period>& duration) {
        return put_for(T(value), duration);
    }
    template <typename Clock, typename Duration>
    bool put_until(T&& value, const std::chrono::time_point<Clock, Duration>& deadline) {
        return put_before(std::move(value), detail::deadline_at(deadline));
    }
    template <typename Clock, typename Duration>
    bool put_until(const T& value, const std::chrono::time_point<Clock, Duration>& deadline) {
        return put_until(T(value), deadline);
    }

    /// Waits for a value, and takes it out.
    T get() {
        std::optional<T> value = get_before(detail::steady_time::max());
        return std::move(*value);
    }

    /// Takes a value out if there is one.
    std::optional<T> try_get() { return get_before(detail::at_once); }

    /// Waits like get(), for at most `duration`.
    template <typename Rep, typename Period>
    std::optional<T> get_for(const std::chrono::duration<Rep, Period>& duration) {
        return get_before(detail::deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    std::optional<T> get_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return get_before(detail::deadline_at(deadline));
    }

    /// For `for (T& value : queue)`: gets until it is shut down and empty.
    std::optional<T> next() {
        std::optional<T> value;
        take(value, detail::steady_time::max());
        return value;
    }
    using iterator = detail::receiving_iterator<basic_queue, T, &basic_queue::next>;
    iterator begin() { return iterator(*this); }
    iterator end() { return {}; }

    /// Says that the work which a value asked for is done, one call for each value got.
    /// @throws std::logic_error called more often than values were put in.
    void task_done() {
        const std::lock_guard<mutex> lock(mutex_);
        if (unfinished_ == 0) {
            throw std::logic_error("task_done() was called more often than put()");
        }
        finish(1);
    }

    /// Waits until every value that was put in has been reported by task_done().
    void join() { finished_.wait_until(detail::steady_time::max()); }

    /// Waits like join(), for at most `duration`. @returns whether all is done.
    template <typename Rep, typename Period>
    bool join_for(const std::chrono::duration<Rep, Period>& duration) {
        return finished_.wait_until(detail::deadline_after(duration));
    }
    template <typename Clock, typename Duration>
    bool join_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return finished_.wait_until(detail::deadline_at(deadline));
    }

    /// From now on nothing can be put in, and those who wait to do so throw ESHUTDOWN. What is in
    /// the queue can still be got; with `immediate` it is destroyed, and counts as done.
    void shutdown(bool immediate = false) {
        std::unique_lock<mutex> lock(mutex_);
        shut_down_ = true;
        room_.close();
        values_.close();
        if (immediate) {
            const std::size_t left = order_.size();
            const auto dropped = order_.drain();
            finish(left);
            lock.unlock(); // before they are destroyed
        }
    }

    std::size_t size() const {
        const std::lock_guard<mutex> lock(mutex_);
        return order_.size();
    }
    bool empty() const { return size() == 0; }
    bool full() const { return max_size_ != 0 && size() >= max_size_; }
    std::size_t max_size() const noexcept { return max_size_; }

private:
    [[noreturn]] static void throw_shut_down() {
        throw std::system_error(ESHUTDOWN, std::system_category(), "the queue is shut down");
    }

    bool put_before(T&& value, detail::steady_time deadline) {
        if (max_size_ != 0) {
            switch (room_.acquire_until(deadline, "queue (to put)")) {
            case detail::outcome::timeout:
                return false;
            case detail::outcome::closed:
                throw_shut_down();
            case detail::outcome::done:
                break;
            }
        }
        place taken(*this);
        const std::lock_guard<mutex> lock(mutex_);
        if (shut_down_) {
            throw_shut_down();
        }
        order_.push(std::move(value));
        taken.filled = true;
        if (unfinished_++ == 0) {
            finished_.clear();
        }
        values_.release(1); // under the mutex, so that shutdown() comes before or after both
        return true;
    }

    std::optional<T> get_before(detail::steady_time deadline) {
        std::optional<T> value;
        if (take(value, deadline) == detail::outcome::closed) {
            throw_shut_down();
        }
        return value;
    }

    detail::outcome take(std::optional<T>& to, detail::steady_time deadline) {
        const detail::outcome how = values_.acquire_until(deadline, "queue (to get)");
        if (how != detail::outcome::done) {
            return how;
        }
        {
            const std::lock_guard<mutex> lock(mutex_);
            if (order_.size() == 0) { // shut down at once, after this one could have had it
                return detail::outcome::closed;
            }
            to.emplace(std::move(order_.next()));
            order_.pop();
        }
        give_back_place();
        return detail::outcome::done;
    }

    void give_back_place() {
        if (max_size_ != 0) {
            room_.release(1);
        }
    }

    void finish(std::size_t tasks) {
        unfinished_ -= tasks;
        if (unfinished_ == 0) {
            finished_.set();
        }
    }

    /// Room that is given back unless something was put there.
    struct place {
        explicit place(basic_queue& of) noexcept
            : queue(of) {}
        ~place() {
            if (!filled) {
                queue.give_back_place();
            }
        }
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        basic_queue& queue;
        bool filled = false;
    };

    const std::size_t max_size_;
    mutable mutex mutex_; // of what follows, up to shut_down_
    Order order_;
    std::size_t unfinished_ = 0;
    bool shut_down_ = false;
    detail::semaphore_core values_{0};
    detail::semaphore_core room_;
    detail::event_core finished_{true};
};

/// Values in the order in which they were put in.
template <typename T>
using queue = basic_queue<T, detail::fifo_order<T>>;

/// The value that was put in last comes first.
template <typename T>
using lifo_queue = basic_queue<T, detail::lifo_order<T>>;

/// The smallest value comes first, by Compare; equal ones in the order in which they were put in.
/// (Python's order. std::priority_queue has the greatest first: pass std::greater<T> for that.)
/// Compare must not throw, and runs while other users of the queue wait.
template <typename T, typename Compare = std::less<T>>
using priority_queue = basic_queue<T, detail::priority_order<T, Compare>>;

} // namespace v1
} // namespace tendril
