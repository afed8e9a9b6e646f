// SPDX-License-Identifier: BSL-1.0
#pragma once

// What timeouts and shields are built on. Nothing here is for direct use.

#include <tendril/detail/task.hpp>
#include <tendril/export.hpp>

#include <chrono>
#include <cstddef>

namespace tendril {
namespace detail {

struct cancel_scope;

/// A part of a fiber's work, on its stack; scopes nest. Holds the library's own scope in place, so
/// that nothing is allocated.
class TENDRIL_EXPORT scope {
public:
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

protected:
    enum class kind : unsigned char { limits, shields };

    scope(kind what, std::chrono::steady_clock::time_point until);
    ~scope();

    void move_deadline(std::chrono::steady_clock::time_point until);
    bool is_over() const noexcept;      ///< its time has come
    bool ended_a_wait() const noexcept; ///< and some wait noticed
    cancel_scope& get() const noexcept;

private:
    static constexpr std::size_t size = 96;

    alignas(8) unsigned char storage_[size];
};

[[noreturn]] TENDRIL_EXPORT void throw_timed_out();

} // namespace detail
} // namespace tendril
