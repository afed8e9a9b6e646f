// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/channel_core.hpp>
#include <tendril/detail/receiving_iterator.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace tendril {

namespace detail {
struct select_access;
}

inline namespace v1 {

template <typename T>
class sender;
template <typename T>
class receiver;

/// Hands values from fiber to fiber, as Go's channels: in the order of sending, to those who
/// receive in the order of their coming. Any number of fibers of any hubs, and plain threads, may
/// send and receive; whoever waits parks, and its thread runs other fibers.
///
/// Without capacity it is a rendezvous: a send ends when somebody has received. With capacity,
/// sends wait only while so many values are under way.
///
/// close() says that nothing more will be sent: what is in the channel can still be received, then
/// receivers get nothing. Destroying a channel while fibers wait for it says so on stderr and calls
/// std::terminate (unless it is static and the process ends); values left in it are destroyed.
///
/// @tparam T any type whose move constructor does not throw; move-only will do. In a channel with
/// capacity it is moved under a lock, so its move constructor must not wait.
template <typename T>
class channel {
    static_assert(std::is_object_v<T> && std::is_nothrow_move_constructible_v<T>,
                  "send what moves without throwing, e.g. a std::unique_ptr to it");

public:
    using value_type = T;

    /// @throws std::bad_alloc no room for `capacity` values.
    explicit channel(std::size_t capacity = 0)
        : core_(detail::element_type_of<T>, capacity) {}
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    /// Waits until a receiver, or room in the channel, takes the value.
    /// @throws std::system_error EPIPE: the channel is closed, or was while this waited;
    /// cancelled, timed_out (<tendril/cancel.hpp>). The value is lost then.
    void send(T value) { sent(core_.send(std::addressof(value), detail::steady_time::max())); }

    /// Sends without waiting, or not at all: then `value` is untouched. Of many failures in a row
    /// now and then one lets other fibers run first.
    /// @returns whether it was sent.
    /// @throws std::system_error EPIPE
    bool try_send(T&& value) { return sent(core_.send(std::addressof(value), detail::at_once)); }
    bool try_send(const T& value) { return try_send(T(value)); }

    /// Waits like send(), for at most `duration` (zero or negative: only tries). If it returns
    /// false, `value` is untouched.
    template <typename Rep, typename Period>
    bool send_for(T&& value, const std::chrono::duration<Rep, Period>& duration) {
        return sent(core_.send(std::addressof(value), detail::deadline_after(duration)));
    }
    template <typename Rep, typename Period>
    bool send_for(const T& value, const std::chrono::duration<Rep, Period>& duration) {
        return send_for(T(value), duration);
    }

    /// Waits like send(), until `deadline`.
    template <typename Clock, typename Duration>
    bool send_until(T&& value, const std::chrono::time_point<Clock, Duration>& deadline) {
        return sent(core_.send(std::addressof(value), detail::deadline_at(deadline)));
    }
    template <typename Clock, typename Duration>
    bool send_until(const T& value, const std::chrono::time_point<Clock, Duration>& deadline) {
        return send_until(T(value), deadline);
    }

    /// Waits for a value.
    /// @returns nothing if the channel is closed and empty.
    /// @throws cancelled, timed_out: see <tendril/cancel.hpp>.
    std::optional<T> receive() { return receive_before(detail::steady_time::max()); }

    /// Takes a value if there is one. Nothing: there is none now; if drained(), never again.
    std::optional<T> try_receive() { return receive_before(detail::at_once); }

    /// Waits like receive(), for at most `duration`. Nothing: the time is over, or drained().
    template <typename Rep, typename Period>
    std::optional<T> receive_for(const std::chrono::duration<Rep, Period>& duration) {
        return receive_before(detail::deadline_after(duration));
    }

    /// Waits like receive(), until `deadline`.
    template <typename Clock, typename Duration>
    std::optional<T> receive_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return receive_before(detail::deadline_at(deadline));
    }

    /// From now on nothing can be sent; those who wait to do so throw, and those who wait to
    /// receive go on with nothing. Harmless when closed. Never waits.
    void close() noexcept { core_.close(); }

    bool closed() const noexcept { return core_.closed(); }
    bool drained() const noexcept { return core_.drained(); }  ///< closed and empty, for ever
    std::size_t size() const noexcept { return core_.size(); } ///< values sent and not yet received
    std::size_t capacity() const noexcept { return core_.capacity(); }

    /// For `for (T& value : channel)`: receives until it is closed and empty.
    using iterator = detail::receiving_iterator<channel, T, &channel::receive>;
    iterator begin() { return iterator(*this); }
    iterator end() { return {}; }

private:
    friend struct detail::select_access;
    friend class sender<T>;
    friend class receiver<T>;

    static bool sent(detail::outcome how) {
        if (how == detail::outcome::closed) {
            detail::throw_channel_closed();
        }
        return how == detail::outcome::done;
    }

    std::optional<T> receive_before(detail::steady_time deadline) {
        detail::element_slot<T> room;
        if (core_.receive(std::addressof(room.value), deadline) != detail::outcome::done) {
            return std::nullopt;
        }
        const detail::element_end<T> end{room};
        return std::optional<T>(std::move(room.value));
    }

    detail::channel_core core_;
};

} // namespace v1

namespace detail {

/// A channel that its ends own together.
template <typename T>
struct shared_channel {
    explicit shared_channel(std::size_t capacity)
        : both(capacity) {}

    channel<T> both;
    std::atomic<std::size_t> senders{1};
    std::atomic<std::size_t> receivers{1};
};

} // namespace detail

inline namespace v1 {

template <typename T>
std::pair<sender<T>, receiver<T>> make_channel(std::size_t capacity = 0);

/// The end of a channel that can only send; see make_channel(). A copy is one more sender. When the
/// last is gone, the channel is closed.
///
/// Different copies may be used at the same time; one object, by one fiber at a time.
template <typename T>
class sender {
public:
    sender() noexcept = default; ///< of no channel: what it sends meets a closed one
    sender(const sender& other) noexcept
        : of_(other.of_) {
        if (of_ != nullptr) {
            of_->senders.fetch_add(1, std::memory_order_relaxed);
        }
    }
    sender(sender&& other) noexcept = default;
    sender& operator=(sender other) noexcept {
        of_.swap(other.of_);
        return *this;
    }
    ~sender() { close(); }

    /// As channel's. Closed is the channel also when the last receiver is gone.
    void send(T value) { both().send(std::move(value)); }
    bool try_send(T&& value) { return both().try_send(std::move(value)); }
    bool try_send(const T& value) { return both().try_send(value); }
    template <typename Rep, typename Period>
    bool send_for(T&& value, const std::chrono::duration<Rep, Period>& duration) {
        return both().send_for(std::move(value), duration);
    }
    template <typename Rep, typename Period>
    bool send_for(const T& value, const std::chrono::duration<Rep, Period>& duration) {
        return both().send_for(value, duration);
    }
    template <typename Clock, typename Duration>
    bool send_until(T&& value, const std::chrono::time_point<Clock, Duration>& deadline) {
        return both().send_until(std::move(value), deadline);
    }
    template <typename Clock, typename Duration>
    bool send_until(const T& value, const std::chrono::time_point<Clock, Duration>& deadline) {
        return both().send_until(value, deadline);
    }

    /// Gives this end up, as the destructor does.
    void close() noexcept {
        if (of_ != nullptr && of_->senders.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            of_->both.close();
        }
        of_.reset();
    }

    explicit operator bool() const noexcept { return of_ != nullptr; }

private:
    friend struct detail::select_access;
    friend std::pair<sender<T>, receiver<T>> make_channel<T>(std::size_t capacity);
    explicit sender(std::shared_ptr<detail::shared_channel<T>> of) noexcept
        : of_(std::move(of)) {}

    channel<T>& both() const {
        if (of_ == nullptr) {
            detail::throw_channel_closed();
        }
        return of_->both;
    }

    std::shared_ptr<detail::shared_channel<T>> of_;
};

/// The end of a channel that can only receive; see make_channel(). A copy is one more receiver.
/// When the last is gone, the channel is closed, and what is in it is destroyed.
///
/// Different copies may be used at the same time; one object, by one fiber at a time.
template <typename T>
class receiver {
public:
    receiver() noexcept = default; ///< of no channel: must not be asked for values
    receiver(const receiver& other) noexcept
        : of_(other.of_) {
        if (of_ != nullptr) {
            of_->receivers.fetch_add(1, std::memory_order_relaxed);
        }
    }
    receiver(receiver&& other) noexcept = default;
    receiver& operator=(receiver other) noexcept {
        of_.swap(other.of_);
        return *this;
    }
    ~receiver() { close(); }

    /// As channel's. Closed is the channel when the last sender is gone.
    std::optional<T> receive() { return both().receive(); }
    std::optional<T> try_receive() { return both().try_receive(); }
    template <typename Rep, typename Period>
    std::optional<T> receive_for(const std::chrono::duration<Rep, Period>& duration) {
        return both().receive_for(duration);
    }
    template <typename Clock, typename Duration>
    std::optional<T> receive_until(const std::chrono::time_point<Clock, Duration>& deadline) {
        return both().receive_until(deadline);
    }
    bool drained() const { return both().drained(); }

    /// For `for (T& value : receiver)`.
    typename channel<T>::iterator begin() { return both().begin(); }
    typename channel<T>::iterator end() { return {}; }

    /// Gives this end up, as the destructor does.
    void close() noexcept {
        if (of_ != nullptr && of_->receivers.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            of_->both.close();
            while (of_->both.try_receive()) {
            }
        }
        of_.reset();
    }

    explicit operator bool() const noexcept { return of_ != nullptr; }

private:
    friend struct detail::select_access;
    friend std::pair<sender<T>, receiver<T>> make_channel<T>(std::size_t capacity);
    explicit receiver(std::shared_ptr<detail::shared_channel<T>> of) noexcept
        : of_(std::move(of)) {}

    channel<T>& both() const {
        if (of_ == nullptr) {
            detail::throw_no_channel();
        }
        return of_->both;
    }

    std::shared_ptr<detail::shared_channel<T>> of_;
};

/// A channel as its two ends: `auto [to, from] = tendril::make_channel<int>();`
/// @throws std::bad_alloc
template <typename T>
std::pair<sender<T>, receiver<T>> make_channel(std::size_t capacity) {
    auto of = std::make_shared<detail::shared_channel<T>>(capacity);
    return {sender<T>(of), receiver<T>(of)};
}

} // namespace v1
} // namespace tendril
