// SPDX-License-Identifier: BSL-1.0
#pragma once

// What <tendril/fiber_pool.hpp> is made of. Nothing here is for direct use.

#include <tendril/detail/semaphore_core.hpp>
#include <tendril/detail/task.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tendril {
namespace detail {

inline std::uint64_t checked_pool_size(std::size_t size) {
    if (size == 0 || size > semaphore_core::most) {
        throw std::system_error(EINVAL, std::system_category(), "size of a fiber pool");
    }
    return size;
}

/// Gives a permit back in the end.
class pool_place {
public:
    explicit pool_place(semaphore_core& of) noexcept
        : of_(&of) {}
    pool_place(pool_place&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)) {}
    pool_place& operator=(pool_place&&) = delete;
    ~pool_place() {
        if (of_ != nullptr) {
            of_->release(1);
        }
    }

private:
    semaphore_core* of_;
};

/// Keeps its place until function and arguments have ended, whether or not it was called.
template <typename Function, typename... Args>
class placed_call {
public:
    template <typename F, typename... A>
    explicit placed_call(pool_place place, F&& function, A&&... args)
        : place_(std::move(place))
        , function_(std::forward<F>(function))
        , args_(std::forward<A>(args)...) {}

    decltype(auto) operator()() {
        return std::apply(
            [this](Args&&... args) -> decltype(auto) {
                return std::invoke(std::move(function_), std::move(args)...);
            },
            std::move(args_));
    }

private:
    pool_place place_;
    Function function_;
    std::tuple<Args...> args_;
};

template <typename Range>
using iterator_of = decltype(std::begin(std::declval<std::remove_reference_t<Range>&>()));

/// Whether elements stay where they are until the range is gone.
template <typename Range>
inline constexpr bool has_lasting_items =
    std::is_lvalue_reference_v<decltype(*std::declval<iterator_of<Range>&>())>&&
        std::is_base_of_v<std::forward_iterator_tag,
                          typename std::iterator_traits<iterator_of<Range>>::iterator_category>;

/// The call of a job: with the item where it is, or else with one that was moved here.
template <typename Range, typename Function>
class item_call {
    using reference = decltype(*std::declval<iterator_of<Range>&>());
    static constexpr bool lasts = has_lasting_items<Range>;
    using kept =
        std::conditional_t<lasts, std::remove_reference_t<reference>*, std::decay_t<reference>>;
    using passed = std::conditional_t<lasts, reference, std::decay_t<reference>&&>;

public:
    using result = std::invoke_result_t<Function&, passed>;

    item_call(Function& function, iterator_of<Range>& at)
        : function_(&function)
        , item_(item_at(at)) {}

    result operator()() {
        if constexpr (lasts) {
            return std::invoke(*function_, *item_);
        } else {
            return std::invoke(*function_, std::move(item_));
        }
    }

private:
    static kept item_at(iterator_of<Range>& at) {
        if constexpr (lasts) {
            return std::addressof(*at);
        } else {
            return std::move(*at);
        }
    }

    Function* function_;
    kept item_;
};

template <typename Range, typename Function>
using mapped = typename item_call<Range, Function>::result;

/// In a container.
template <typename T>
using kept_result_of = std::conditional_t<std::is_reference_v<T>,
                                          std::reference_wrapper<std::remove_reference_t<T>>, T>;

} // namespace detail
} // namespace tendril
