// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/channel.hpp>
#include <tendril/detail/channel_core.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tendril {
namespace detail {

struct select_access {
    template <typename T>
    static channel_core& core(channel<T>& c) noexcept {
        return c.core_;
    }
    template <typename T>
    static channel<T>& both(const sender<T>& end) {
        return end.both();
    }
    template <typename T>
    static channel<T>& both(const receiver<T>& end) {
        return end.both();
    }
};

template <typename T, typename Handler>
class receive_case {
public:
    static constexpr bool is_channel = true;

    receive_case(channel<T>& from, Handler handler)
        : from_(from)
        , handler_(std::move(handler)) {}

    void prepare(select_case& c) noexcept {
        c.channel = &select_access::core(from_);
        c.value = std::addressof(room_.value);
        c.sends = false;
    }

    void finish(outcome how) {
        std::optional<T> value;
        if (how == outcome::done) {
            value.emplace(std::move(room_.value));
            room_.value.~T();
        }
        handler_(std::move(value));
    }

private:
    channel<T>& from_;
    Handler handler_;
    element_slot<T> room_;
};

template <typename T, typename Handler>
class send_case {
public:
    static constexpr bool is_channel = true;

    send_case(channel<T>& to, T&& value, Handler handler)
        : to_(to)
        , value_(std::addressof(value))
        , handler_(std::move(handler)) {}

    void prepare(select_case& c) noexcept {
        c.channel = &select_access::core(to_);
        c.value = value_;
        c.sends = true;
    }

    void finish(outcome how) {
        if (how == outcome::closed) {
            throw_channel_closed();
        }
        handler_();
    }

private:
    channel<T>& to_;
    T* value_;
    Handler handler_;
};

/// The timeout, or the default: what happens if none of the others could.
template <typename Handler>
class idle_case {
public:
    static constexpr bool is_channel = false;

    idle_case(steady_time deadline, Handler handler)
        : deadline_(deadline)
        , handler_(std::move(handler)) {}

    steady_time deadline() const noexcept { return deadline_; }
    void finish(outcome) { handler_(); }

private:
    steady_time deadline_;
    Handler handler_;
};

template <typename T>
struct type_identity {
    using type = T;
};
template <typename T>
using identity = typename type_identity<T>::type; ///< takes no part in deduction

template <typename Case, typename = void>
inline constexpr bool is_select_case = false;
template <typename Case>
inline constexpr bool is_select_case<Case, std::void_t<decltype(std::decay_t<Case>::is_channel)>> =
    true;

struct do_nothing {
    void operator()() const noexcept {}
};

} // namespace detail

inline namespace v1 {

/// Cases for select(). What they are given must stay until it returns.
///
/// `handler(std::optional<T>)` gets the value, or nothing if the channel is closed and empty.
template <typename T, typename Handler>
auto on_receive(channel<T>& from, Handler handler) {
    static_assert(std::is_invocable_v<Handler&, std::optional<T>>,
                  "the handler takes a std::optional<T>: nothing if the channel is closed");
    return detail::receive_case<T, Handler>(from, std::move(handler));
}
/// Likewise, from the receiving end.
template <typename T, typename Handler>
auto on_receive(const receiver<T>& from, Handler handler) {
    return on_receive(detail::select_access::both(from), std::move(handler));
}

/// `value` is moved from only if this case is chosen. `handler()` is called afterwards. If the
/// channel is closed, select() throws EPIPE.
template <typename T, typename Handler = detail::do_nothing>
auto on_send(channel<T>& to, detail::identity<T>&& value, Handler handler = {}) {
    return detail::send_case<T, Handler>(to, std::move(value), std::move(handler));
}
/// Likewise, to the sending end.
template <typename T, typename Handler = detail::do_nothing>
auto on_send(const sender<T>& to, detail::identity<T>&& value, Handler handler = {}) {
    return on_send(detail::select_access::both(to), std::move(value), std::move(handler));
}

/// `handler()` is called if no other case could be done for so long, or until then.
template <typename Rep, typename Period, typename Handler = detail::do_nothing>
auto on_timeout(const std::chrono::duration<Rep, Period>& duration, Handler handler = {}) {
    return detail::idle_case<Handler>(detail::deadline_after(duration), std::move(handler));
}
/// Likewise, until a point in time.
template <typename Clock, typename Duration, typename Handler = detail::do_nothing>
auto on_timeout(const std::chrono::time_point<Clock, Duration>& deadline, Handler handler = {}) {
    return detail::idle_case<Handler>(detail::deadline_at(deadline), std::move(handler));
}

/// `handler()` is called if no other case can be done at once: select() does not wait.
template <typename Handler = detail::do_nothing>
auto on_default(Handler handler = {}) {
    return detail::idle_case<Handler>(detail::at_once, std::move(handler));
}

/// Does exactly one of several things, whichever can be done first, and waits until one can: sends
/// to channels, receives from channels, at most one timeout or default. As Go's select. Of several
/// that can be done at once, any is chosen, so that none starves. While it waits it stands in the
/// order of every channel.
///
///     tendril::select(
///         tendril::on_receive(jobs, [&](std::optional<job> j) { … }),
///         tendril::on_send(results, std::move(r)),
///         tendril::on_timeout(1s, [&] { … }));
///
/// The handler of the chosen case runs after the choice, in the calling fiber.
/// @returns the index of the case that was chosen.
/// @throws std::system_error EPIPE: a send was chosen whose channel is closed; cancelled,
/// timed_out (<tendril/cancel.hpp>). What a handler throws.
template <typename... Cases>
auto select(Cases&&... cases)
    -> std::enable_if_t<(detail::is_select_case<Cases> && ...), std::size_t> {
    constexpr std::size_t channels =
        (std::size_t{std::decay_t<Cases>::is_channel ? 1U : 0U} + ... + 0U);
    static_assert(channels + 1 >= sizeof...(Cases), "at most one timeout or default");
    std::array<detail::select_case, channels + 1> waits;
    std::array<std::size_t, channels + 1> index{}; // of the case that each wait belongs to
    index[channels] = sizeof...(Cases);
    detail::steady_time deadline = detail::steady_time::max();
    std::size_t used = 0;
    std::size_t at = 0;
    const auto add = [&](auto& one) {
        if constexpr (std::decay_t<decltype(one)>::is_channel) {
            one.prepare(waits[used]);
            index[used++] = at++;
        } else {
            deadline = one.deadline();
            index[channels] = at++;
        }
    };
    (add(cases), ...);
    detail::outcome how{};
    const std::size_t chosen = index[detail::select_one(waits.data(), channels, deadline, how)];
    std::size_t i = 0;
    ((i++ == chosen ? cases.finish(how) : void()), ...);
    return chosen;
}

} // namespace v1
} // namespace tendril
