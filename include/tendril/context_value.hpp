// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/context_entry.hpp>
#include <tendril/detail/local_value.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace tendril {
inline namespace v1 {

/// A value that belongs to what is being done, whichever fibers do it: set for a scope, it holds
/// there and in all fibers spawned there, on any hub, and in those that they spawn. For a request's
/// number, a user, a language, a trace. As Python's ContextVar.
///
///     static tendril::context_value<std::string> request("none");
///
///     const auto as = request.set("42"); // until the end of this scope
///     group.spawn([] { log(*request); }); // 42
///
/// A fiber takes over the values that hold where it is spawned, by a pointer, and keeps them alive;
/// what is set later, here or there, the other does not see. Main fibers and threads have values
/// too; a new thread begins with none. Values are not copied, so several fibers, on several
/// threads, may read one at once; it ends with the last who could.
///
/// Meant to live as long as the program.
template <typename T>
class context_value {
public:
    /// Where nothing is set, it is T().
    context_value()
        : initial_() {}
    /// Where nothing is set, it is `initial`.
    explicit context_value(T initial)
        : initial_(std::move(initial)) {}
    context_value(const context_value&) = delete;
    context_value& operator=(const context_value&) = delete;

    /// A value's time. A local variable of the fiber that made it; scopes end in the reverse order
    /// of their making. If one does not, it says so on stderr and terminates.
    class [[nodiscard]] scope {
    public:
        /// @throws std::bad_alloc
        scope(const context_value& of, T value)
            : entry_(new entry(of.key_, std::move(value))) {
            detail::push_context(entry_);
        }
        ~scope() { detail::pop_context(entry_); }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        detail::context_entry* entry_;
    };

    /// Sets it as long as the returned scope lives.
    /// @throws std::bad_alloc
    scope set(T value) const { return scope(*this, std::move(value)); }

    /// The value that holds here. It stays as long as its scope, or in a fiber that has inherited
    /// it, as long as that fiber. Never waits.
    const T& get() const noexcept {
        const detail::context_entry* const found = detail::find_context(key_);
        return found != nullptr ? static_cast<const entry*>(found)->value : initial_;
    }
    const T& operator*() const noexcept { return get(); }
    const T* operator->() const noexcept { return std::addressof(get()); }

    /// Whether one is set here.
    bool has_value() const noexcept { return detail::find_context(key_) != nullptr; }

private:
    struct entry final : detail::context_entry {
        entry(std::uint64_t of, T&& v)
            : value(std::move(v)) {
            key = of;
        }
        const T value;
    };

    const std::uint64_t key_ = detail::new_local_key();
    const T initial_;
};

} // namespace v1
} // namespace tendril
