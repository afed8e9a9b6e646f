// SPDX-License-Identifier: BSL-1.0
#pragma once

// What can be waited for, and how to find it in what the functions of <tendril/wait.hpp> are given.
// Nothing here is for direct use.

#include <tendril/detail/collector.hpp>
#include <tendril/event.hpp>
#include <tendril/fiber.hpp>
#include <tendril/future.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tendril {
namespace detail {

struct wait_access {
    template <typename T>
    static awaited of(const fiber<T>& f) {
        return awaited(f.task());
    }
    template <typename T>
    static awaited of(const future_base<T>& f) {
        return of(f.state().ready());
    }
    static awaited of(event& e) noexcept { return awaited(e.core_); }

    template <typename T>
    static std::true_type is_thing(const fiber<T>*) {
        return {};
    }
    template <typename T>
    static std::true_type is_thing(const future_base<T>*) {
        return {};
    }
    static std::true_type is_thing(const event*) { return {}; }
    static std::false_type is_thing(...) { return {}; }
};

template <typename T>
inline constexpr bool is_thing =
    decltype(wait_access::is_thing(static_cast<std::remove_reference_t<T>*>(nullptr)))::value;

/// What a pointer, or std::reference_wrapper, refers to; all else is itself.
template <typename T>
T& referred(T& object, std::enable_if_t<is_thing<T>>* = nullptr) {
    return object;
}
template <typename T>
auto referred(T& object) -> std::enable_if_t<is_thing<decltype(*object)>, decltype(*object)> {
    return *object;
}
template <typename T>
T& referred(const std::reference_wrapper<T>& object) {
    return object.get();
}

template <typename T, typename = void>
inline constexpr bool is_single = false;
template <typename T>
inline constexpr bool is_single<T, std::void_t<decltype(referred(std::declval<T&>()))>> = true;

template <typename T, typename = void>
inline constexpr bool is_many = false;
template <typename T>
inline constexpr bool is_many<T, std::void_t<decltype(referred(*std::begin(std::declval<T&>())))>> =
    true;

template <typename... Things>
inline constexpr bool can_wait_for = ((is_single<Things> || is_many<Things>)&&...);

/// What is to be waited for, ranges taken apart; on the stack if there are none.
template <typename... Things>
class awaited_list {
public:
    explicit awaited_list(Things&... things) { (add(things), ...); }

    awaited* first() noexcept { return all_.data(); }
    std::size_t size() const noexcept { return used_; }

private:
    static constexpr bool fixed = (is_single<Things> && ...);

    template <typename Thing>
    void add(Thing& thing) {
        if constexpr (is_single<Thing>) {
            put(wait_access::of(referred(thing)));
        } else {
            for (auto& each : thing) {
                put(wait_access::of(referred(each)));
            }
        }
    }

    void put(const awaited& one) {
        if constexpr (fixed) {
            all_[used_] = one;
        } else {
            all_.push_back(one);
        }
        ++used_;
    }

    std::conditional_t<fixed, std::array<awaited, sizeof...(Things)>, std::vector<awaited>> all_;
    std::size_t used_ = 0;
};

// What gather() hands on of one thing.

inline std::monostate value_of(event&) noexcept {
    return {};
}
template <typename T>
T value_of(shared_future<T>& f) {
    return f.get();
}
template <typename T>
T value_of(const shared_future<T>& f) {
    return f.get();
}
template <typename Thing>
decltype(auto) value_of(Thing& thing) {
    if constexpr (std::is_void_v<decltype(thing.get())>) {
        thing.get();
        return std::monostate();
    } else {
        return thing.get();
    }
}
inline std::monostate value_of(shared_future<void>& f) {
    f.get();
    return {};
}
inline std::monostate value_of(const shared_future<void>& f) {
    f.get();
    return {};
}

template <typename Thing>
using gathered = decltype(value_of(referred(std::declval<Thing&>())));

template <typename Range>
using gathered_each = gathered<decltype(*std::begin(std::declval<Range&>()))>;
template <typename Range>
using gathered_all = std::conditional_t<std::is_same_v<gathered_each<Range>, std::monostate>, void,
                                        std::vector<gathered_each<Range>>>;

} // namespace detail
} // namespace tendril
