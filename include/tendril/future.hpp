// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/event.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace tendril {

namespace detail {

struct nothing {};

template <typename T>
using kept_result =
    std::conditional_t<std::is_void_v<T>, nothing,
                       std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>>;

[[noreturn]] inline void throw_future_error(std::future_errc why) {
    throw std::future_error(why);
}

/// What a promise and its futures share.
template <typename T>
class future_state {
public:
    /// Makes the result by `fill(place)` and lets all go who wait. Once.
    template <typename Fill>
    void settle(Fill fill) {
        if (claimed_.exchange(true, std::memory_order_acq_rel)) {
            throw_future_error(std::future_errc::promise_already_satisfied);
        }
        try {
            fill(*this);
        } catch (...) { // the promise is as before
            claimed_.store(false, std::memory_order_release);
            throw;
        }
        ready_.set();
    }

    /// The promise ends: who waits must not wait for ever.
    void forsake() noexcept {
        if (!claimed_.exchange(true, std::memory_order_acq_rel)) {
            error_ = std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
            ready_.set();
        }
    }

    void retrieve() {
        if (retrieved_.exchange(true, std::memory_order_relaxed)) {
            throw_future_error(std::future_errc::future_already_retrieved);
        }
    }

    /// Waits, and throws what there is to throw.
    kept_result<T>& result() {
        ready_.wait();
        if (error_ != nullptr) {
            std::rethrow_exception(error_);
        }
        return *result_;
    }

    /// For get(), which takes the result away.
    void collect() {
        if (collected_.exchange(true, std::memory_order_relaxed)) {
            throw_future_error(std::future_errc::no_state);
        }
    }

    event& ready() noexcept { return ready_; }
    std::optional<kept_result<T>>& place() noexcept { return result_; }
    void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }

private:
    event ready_;
    std::atomic<bool> claimed_{false};
    std::atomic<bool> retrieved_{false};
    std::atomic<bool> collected_{false};
    std::exception_ptr error_;
    std::optional<kept_result<T>> result_;
};

template <typename T>
T hand_out(kept_result<T>& kept) {
    if constexpr (std::is_reference_v<T>) {
        return *kept;
    } else if constexpr (!std::is_void_v<T>) {
        return std::move(kept);
    }
}

/// What future and shared_future have in common.
template <typename T>
class future_base {
public:
    bool valid() const noexcept { return state_ != nullptr; }

    /// Waits until there is a result. Any number of fibers and threads may wait at once.
    /// @throws cancelled, timed_out (<tendril/cancel.hpp>); std::future_error no_state.
    void wait() const { state().ready().wait(); }

    template <typename Rep, typename Period>
    std::future_status wait_for(const std::chrono::duration<Rep, Period>& duration) const {
        return status(state().ready().wait_for(duration));
    }
    template <typename Clock, typename Duration>
    std::future_status wait_until(const std::chrono::time_point<Clock, Duration>& deadline) const {
        return status(state().ready().wait_until(deadline));
    }

    /// True if there is a result: nothing would wait.
    bool ready() const { return state().ready().is_set(); }

protected:
    future_base() noexcept = default;
    explicit future_base(std::shared_ptr<future_state<T>> state) noexcept
        : state_(std::move(state)) {}

    future_state<T>& state() const {
        if (state_ == nullptr) {
            throw_future_error(std::future_errc::no_state);
        }
        return *state_;
    }

    std::shared_ptr<future_state<T>> state_;

private:
    friend struct wait_access;
    static std::future_status status(bool ready) noexcept {
        return ready ? std::future_status::ready : std::future_status::timeout;
    }
};

} // namespace detail

inline namespace v1 {
template <typename T>
class future;
} // namespace v1

namespace detail {

/// What promises have in common.
template <typename T>
class promise_base {
public:
    promise_base()
        : state_(std::make_shared<future_state<T>>()) {}
    promise_base(promise_base&&) noexcept = default;
    promise_base& operator=(promise_base&& other) noexcept {
        promise_base(std::move(other)).state_.swap(state_);
        return *this;
    }
    ~promise_base() {
        if (state_ != nullptr) {
            state_->forsake();
        }
    }

    /// @throws std::future_error future_already_retrieved: the second time.
    future<T> get_future() {
        state().retrieve();
        return future<T>(state_);
    }

    void set_exception(std::exception_ptr error) {
        state().settle([&](future_state<T>& s) { s.fail(std::move(error)); });
    }

protected:
    template <typename... Value>
    void settle_with(Value&&... value) {
        state().settle(
            [&](future_state<T>& s) { s.place().emplace(std::forward<Value>(value)...); });
    }

    future_state<T>& state() const {
        if (state_ == nullptr) {
            throw_future_error(std::future_errc::no_state);
        }
        return *state_;
    }

private:
    std::shared_ptr<future_state<T>> state_;
};

} // namespace detail

inline namespace v1 {

using std::future_errc;
using std::future_error;
using std::future_status;

template <typename T>
class shared_future;

/// std::future for fibers and plain threads: whoever waits parks, and its thread runs other fibers.
/// Many may wait; the result is handed out once. A promise that ends without a result makes get()
/// throw std::future_error broken_promise.
template <typename T>
class future : public detail::future_base<T> {
public:
    future() noexcept = default; ///< of no promise
    future(future&&) noexcept = default;
    future& operator=(future&&) noexcept = default;

    /// Waits, then returns the result or throws what was set instead. Once: afterwards the future
    /// is of no promise.
    /// @throws std::future_error no_state: the second time, also when another fiber was first.
    T get() {
        this->state();
        const std::shared_ptr<detail::future_state<T>> state = this->state_;
        state->ready().wait();
        state->collect();
        this->state_.reset();
        return detail::hand_out<T>(state->result());
    }

    /// Moves the result's state to a future that can be copied, and asked many times.
    shared_future<T> share() noexcept { return shared_future<T>(std::move(*this)); }

private:
    friend class detail::promise_base<T>;
    explicit future(std::shared_ptr<detail::future_state<T>> state) noexcept
        : detail::future_base<T>(std::move(state)) {}
};

/// std::shared_future likewise: all who have a copy get the same result.
template <typename T>
class shared_future : public detail::future_base<T> {
public:
    shared_future() noexcept = default;
    shared_future(future<T>&& from) noexcept
        : detail::future_base<T>(std::move(from)) {}

    /// Waits, then returns the result, which lives as long as a copy of this, or throws.
    decltype(auto) get() const {
        auto& kept = this->state().result();
        if constexpr (std::is_void_v<T>) {
            static_cast<void>(kept);
        } else if constexpr (std::is_reference_v<T>) {
            return static_cast<T>(*kept);
        } else {
            return static_cast<const T&>(kept);
        }
    }
};

/// std::promise: where the result comes from, once. Any thread. set_value() and set_exception()
/// never wait; both throw std::future_error promise_already_satisfied the second time, and what
/// copying the result throws (it may be set again then).
template <typename T>
class promise : public detail::promise_base<T> {
public:
    void set_value(const T& value) { this->settle_with(value); }
    void set_value(T&& value) { this->settle_with(std::move(value)); }
};

template <typename T>
class promise<T&> : public detail::promise_base<T&> {
public:
    void set_value(T& value) { this->settle_with(std::addressof(value)); }
};

template <>
class promise<void> : public detail::promise_base<void> {
public:
    void set_value() { settle_with(); }
};

template <typename Signature>
class packaged_task;

/// std::packaged_task: a function whose result goes to a future.
template <typename Result, typename... Args>
class packaged_task<Result(Args...)> {
public:
    packaged_task() noexcept = default; ///< of no function
    template <typename Function,
              typename = std::enable_if_t<!std::is_same_v<std::decay_t<Function>, packaged_task>>>
    explicit packaged_task(Function&& function)
        : call_(std::make_unique<typed<std::decay_t<Function>>>(std::forward<Function>(function)))
        , result_(std::in_place) {}
    packaged_task(packaged_task&& other) noexcept
        : call_(std::move(other.call_))
        , result_(std::exchange(other.result_, std::nullopt)) {}
    packaged_task& operator=(packaged_task&& other) noexcept {
        call_ = std::move(other.call_);
        result_ = std::exchange(other.result_, std::nullopt);
        return *this;
    }

    bool valid() const noexcept { return call_ != nullptr; }

    future<Result> get_future() { return result().get_future(); }

    /// Calls the function, and keeps what it returns or throws.
    /// @throws std::future_error promise_already_satisfied: the second time; no_state.
    void operator()(Args... args) {
        promise<Result>& to = result();
        if (std::exchange(called_, true)) {
            detail::throw_future_error(std::future_errc::promise_already_satisfied);
        }
        try {
            if constexpr (std::is_void_v<Result>) {
                call_->run(std::forward<Args>(args)...);
                to.set_value();
            } else {
                to.set_value(call_->run(std::forward<Args>(args)...));
            }
        } catch (...) {
            to.set_exception(std::current_exception());
        }
    }

    /// A new result for another call of the function.
    void reset() {
        result();
        result_.emplace();
        called_ = false;
    }

private:
    struct callable {
        virtual ~callable() = default;
        virtual Result run(Args... args) = 0;
    };

    template <typename Function>
    struct typed final : callable {
        template <typename F>
        explicit typed(F&& f)
            : function(std::forward<F>(f)) {}
        Result run(Args... args) override {
            return std::invoke(function, std::forward<Args>(args)...);
        }
        Function function;
    };

    promise<Result>& result() {
        if (!valid()) {
            detail::throw_future_error(std::future_errc::no_state);
        }
        return *result_;
    }

    std::unique_ptr<callable> call_;
    std::optional<promise<Result>> result_;
    bool called_ = false;
};

} // namespace v1
} // namespace tendril
