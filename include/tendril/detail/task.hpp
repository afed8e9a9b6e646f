// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the templates of <tendril/fiber.hpp> need. Nothing here is for direct use.

#include <tendril/export.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <ratio>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tendril {
inline namespace v1 {
template <typename T>
class fiber;
class hub;
struct spawn_options;
} // namespace v1

namespace detail {

/// Now + duration, saturating: an overlong duration means 'never'. In integers where that is
/// possible: floating point leaves marks in MXCSR, which then make every switch slower.
template <typename Rep, typename Period>
std::chrono::steady_clock::time_point
deadline_after(const std::chrono::duration<Rep, Period>& duration) {
    using clock = std::chrono::steady_clock;
    using ticks_per_unit = std::ratio_divide<Period, clock::period>;
    const clock::time_point now = clock::now();
    if (duration <= duration.zero()) {
        return now;
    }
    const clock::duration most = clock::time_point::max() - now;
    if constexpr (std::is_integral_v<Rep> && ticks_per_unit::den == 1) {
        if (static_cast<std::uintmax_t>(duration.count()) >=
            static_cast<std::uintmax_t>(most.count() / ticks_per_unit::num)) {
            return clock::time_point::max();
        }
    } else {
        using seconds = std::chrono::duration<double>;
        if (!(seconds(duration) < seconds(most) / 2)) { // also for a NaN; half, because it rounds
            return clock::time_point::max();
        }
    }
    // Rounded up: a wait is never shorter than asked.
    return now + std::chrono::ceil<clock::duration>(duration);
}

/// Memory for a task, from a cache of the calling thread's hub where it has one.
/// @throws std::bad_alloc
TENDRIL_EXPORT void* allocate_task(std::size_t size);
TENDRIL_EXPORT void free_task(void* memory, std::size_t size) noexcept;

/// What a fiber runs and what became of it; shared by the fiber and its handle.
class TENDRIL_EXPORT task {
public:
    task(const task&) = delete;
    task& operator=(const task&) = delete;

    void release() noexcept;
    void join();
    bool join_until(std::chrono::steady_clock::time_point deadline);
    bool done() const noexcept;
    void cancel(std::string reason);
    std::uint64_t id() const noexcept { return id_; }
    std::string name() const;

    static void* operator new(std::size_t size) { return allocate_task(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        free_task(memory, size);
    }
    static void* operator new(std::size_t size, std::align_val_t alignment) {
        return ::operator new(size, alignment);
    }
    static void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
        ::operator delete(memory, alignment);
    }

protected:
    task() noexcept = default;
    virtual ~task();
    void collect(); ///< rethrows what the fiber threw; std::logic_error the second time

private:
    friend struct task_access; // the library's side
    virtual void run() = 0;
    virtual void drop() noexcept {} ///< what run() would have used

    std::atomic<std::uint32_t> references_{2}; // the handle's and the fiber's
    std::atomic<std::uint8_t> state_{0};
    bool collected_ = false;
    bool quiet_ = false; ///< whoever does not collect the error need not be told
    std::atomic<void*> where_{nullptr};
    struct waiter* joiners_ = nullptr;
    std::exception_ptr error_;
    std::uint64_t id_ = 0;
    char* name_ = nullptr;
};

struct task_release {
    void operator()(task* t) const noexcept { t->release(); }
};

template <typename T>
class result_task : public task {
public:
    T take() {
        collect();
        return std::move(*result_);
    }

protected:
    std::optional<T> result_;
};

template <typename T>
class result_task<T&> : public task {
public:
    T& take() {
        collect();
        return *result_;
    }

protected:
    T* result_ = nullptr;
};

template <>
class result_task<void> : public task {
public:
    void take() { collect(); }
};

template <typename Result, typename Function, typename... Args>
class typed_task final : public result_task<Result> {
public:
    template <typename F, typename... A>
    explicit typed_task(F&& f, A&&... args)
        : call_(std::in_place, std::forward<F>(f), std::forward<A>(args)...) {}

private:
    // The callable and its arguments end with the call, on the fiber, not with the last handle.
    struct clear_call {
        std::optional<std::tuple<Function, Args...>>& call;
        ~clear_call() { call.reset(); }
    };

    void drop() noexcept override { call_.reset(); }

    void run() override {
        const clear_call clear{call_};
        if constexpr (std::is_void_v<Result>) {
            std::apply(invoke, std::move(*call_));
        } else if constexpr (std::is_reference_v<Result>) {
            this->result_ = std::addressof(std::apply(invoke, std::move(*call_)));
        } else {
            this->result_.emplace(std::apply(invoke, std::move(*call_)));
        }
    }

    static Result invoke(Function&& f, Args&&... args) {
        return std::invoke(std::move(f), std::move(args)...);
    }

    std::optional<std::tuple<Function, Args...>> call_;
};

template <typename Function, typename... Args>
using result_of = std::invoke_result_t<std::decay_t<Function>, std::decay_t<Args>...>;

template <typename Function, typename... Args>
using fiber_of = fiber<result_of<Function, Args...>>;

template <typename Function, typename... Args>
inline constexpr bool is_function =
    std::is_invocable_v<std::decay_t<Function>, std::decay_t<Args>...>;

struct wait_access;

[[noreturn]] TENDRIL_EXPORT void throw_no_fiber();

/// Hands the task to a hub, the calling thread's if `on` is null. On a throw the fiber's reference
/// has been given back. `from`: the code that spawns, for dumps; null: whoever called this.
TENDRIL_EXPORT void launch(task& t, const spawn_options& options, const hub* on,
                           const void* from = nullptr);
/// Likewise, on the calling thread's hub, with nothing but defaults.
TENDRIL_EXPORT void launch(task& t);

class group_core;
struct group_membership;

/// Likewise, as a member of a group.
TENDRIL_EXPORT void launch(task& t, const spawn_options& options, const hub* on,
                           const group_membership& in);

/// Inlined into the program's function also where nothing else is, so that it is the one that dumps
/// name.
struct spawner {
    template <typename Function, typename... Args>
    [[gnu::always_inline]] static inline fiber_of<Function, Args...>
    spawn(const spawn_options& options, const hub* on, Function&& function, Args&&... args) {
        auto handle = make(std::forward<Function>(function), std::forward<Args>(args)...);
        launch(*handle.task_, options, on);
        return handle;
    }

    /// For who spawns on behalf of others: `from` is the code that dumps are to name.
    template <typename Function, typename... Args>
    static fiber_of<Function, Args...> spawn_from(const void* from, const spawn_options& options,
                                                  const hub* on, Function&& function,
                                                  Args&&... args) {
        auto handle = make(std::forward<Function>(function), std::forward<Args>(args)...);
        launch(*handle.task_, options, on, from);
        return handle;
    }

    template <typename Function, typename... Args>
    [[gnu::always_inline]] static inline fiber_of<Function, Args...> spawn_here(Function&& function,
                                                                                Args&&... args) {
        auto handle = make(std::forward<Function>(function), std::forward<Args>(args)...);
        launch(*handle.task_);
        return handle;
    }

    template <typename Function, typename... Args>
    [[gnu::always_inline]] static inline fiber_of<Function, Args...>
    spawn_in(const group_membership& in, const spawn_options& options, const hub* on,
             Function&& function, Args&&... args) {
        auto handle = make(std::forward<Function>(function), std::forward<Args>(args)...);
        launch(*handle.task_, options, on, in);
        return handle;
    }

private:
    template <typename Function, typename... Args>
    static fiber_of<Function, Args...> make(Function&& function, Args&&... args) {
        using result = result_of<Function, Args...>;
        using made = typed_task<result, std::decay_t<Function>, std::decay_t<Args>...>;
        return fiber<result>(
            new made(std::forward<Function>(function), std::forward<Args>(args)...));
    }
};

} // namespace detail
} // namespace tendril
