// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/local_value.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace tendril {
inline namespace v1 {

/// A variable of which each fiber has its own, as thread_local is for threads: made when the fiber
/// first asks for it, destroyed when the fiber ends (before those who join it go on), or with
/// reset(). A thread's main fiber, and a thread without a hub, has its until the thread ends.
///
///     static tendril::fiber_local<int> depth(0);
///     ++*depth;
///
/// Meant to live as long as the program: when it is destroyed itself, values of other fibers stay
/// until those end. A fiber that is abandoned keeps its values for ever.
template <typename T>
class fiber_local {
public:
    /// Values begin as T().
    fiber_local()
        : make_([] { return T(); }) {}
    /// Values begin as copies of `initial`.
    explicit fiber_local(T initial)
        : make_([initial = std::move(initial)] { return initial; }) {}
    /// Values begin as what `make()` returns, called in each fiber.
    template <typename Make, typename = std::enable_if_t<std::is_invocable_r_v<T, Make&> &&
                                                         !std::is_convertible_v<Make, T>>>
    explicit fiber_local(Make make)
        : make_(std::move(make)) {}
    fiber_local(const fiber_local&) = delete;
    fiber_local& operator=(const fiber_local&) = delete;
    ~fiber_local() { reset(); }

    /// The calling fiber's value. Never waits.
    /// @throws std::bad_alloc, and what making the value throws.
    T& get() {
        detail::local_value* kept = detail::find_local(key_);
        if (kept == nullptr) {
            kept = new holder(make_);
            detail::set_local(key_, kept);
        }
        return static_cast<holder*>(kept)->value;
    }
    T& operator*() { return get(); }
    T* operator->() { return std::addressof(get()); }

    bool has_value() const noexcept { return detail::find_local(key_) != nullptr; }

    /// Destroys the calling fiber's value, if it has one; the next get() makes another.
    void reset() noexcept {
        if (has_value()) {
            detail::set_local(key_, nullptr);
        }
    }

private:
    struct holder final : detail::local_value {
        explicit holder(const std::function<T()>& make)
            : value(make()) {}
        T value;
    };

    const std::uint64_t key_ = detail::new_local_key();
    std::function<T()> make_;
};

} // namespace v1
} // namespace tendril
