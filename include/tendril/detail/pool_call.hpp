// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the templates of <tendril/thread_pool.hpp> need. Nothing here is for direct use.

#include <tendril/detail/pool_job.hpp>
#include <tendril/detail/semaphore_core.hpp>
#include <tendril/detail/task.hpp>
#include <tendril/export.hpp>
#include <tendril/future.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tendril {

inline namespace v1 {
class thread_pool;
} // namespace v1

namespace detail {

class worker_pool;
struct worker_pool_end {
    TENDRIL_EXPORT void operator()(worker_pool* pool) const noexcept;
};
TENDRIL_EXPORT thread_pool& offload_pool();

TENDRIL_EXPORT std::exception_ptr pool_was_shut_down() noexcept;

/// What a limiter and the calls that it permitted share.
struct limiter_state {
    TENDRIL_EXPORT explicit limiter_state(std::size_t at_most);

    std::size_t in_use() const noexcept {
        return limit - static_cast<std::size_t>(permits.permits());
    }

    const std::size_t limit;
    semaphore_core permits;
};

/// One call's right to run, from waiting for it to the end of the call.
class limiter_permit {
public:
    /// Waits; without a limiter there is nothing to wait for.
    explicit limiter_permit(std::shared_ptr<limiter_state> of)
        : of_(std::move(of)) {
        if (of_ != nullptr) {
            of_->permits.acquire_until(steady_time::max(), "limiter");
        }
    }
    limiter_permit(limiter_permit&&) noexcept = default;
    limiter_permit& operator=(limiter_permit&&) = delete;
    ~limiter_permit() { end(); }

    void end() noexcept {
        if (of_ != nullptr) {
            of_->permits.release(1);
            of_.reset();
        }
    }

private:
    std::shared_ptr<limiter_state> of_;
};

/// A call for a worker thread, and where its result goes.
template <typename Result, typename Function, typename... Args>
class pool_call final : public pool_job, public promise_base<Result> {
public:
    template <typename F, typename... A>
    explicit pool_call(limiter_permit permit, F&& f, A&&... args)
        : permit_(std::move(permit))
        , call_(std::in_place, std::forward<F>(f), std::forward<A>(args)...) {}

private:
    /// Before anybody hears of the result.
    struct end_of_call {
        pool_call& self;
        ~end_of_call() {
            self.call_.reset();
            self.permit_.end();
        }
    };

    void work() noexcept override {
        try {
            this->state().settle([this](future_state<Result>& result) {
                const end_of_call end{*this};
                if constexpr (std::is_void_v<Result>) {
                    std::apply(invoke, std::move(*call_));
                    result.place().emplace();
                } else if constexpr (std::is_reference_v<Result>) {
                    result.place().emplace(std::addressof(std::apply(invoke, std::move(*call_))));
                } else {
                    result.place().emplace(std::apply(invoke, std::move(*call_)));
                }
            });
        } catch (...) {
            this->set_exception(std::current_exception());
        }
    }

    void refuse() noexcept override {
        call_.reset();
        permit_.end();
        this->set_exception(pool_was_shut_down());
    }

    static Result invoke(Function&& f, Args&&... args) {
        return std::invoke(std::move(f), std::move(args)...);
    }

    limiter_permit permit_;
    std::optional<std::tuple<Function, Args...>> call_;
};

} // namespace detail
} // namespace tendril
