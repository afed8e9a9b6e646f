// SPDX-License-Identifier: BSL-1.0
#pragma once

// What every operation does around its work: -errno becomes -1 and errno, the call is counted, and
// a signal handler that interrupted the hub does not get back into it.

#include "hub/hub_core.hpp"
#include "hub/openssl_errors.hpp"
#include "io/operations.hpp"
#include "shims/ops.hpp"
#include "sys/calls.hpp"

#include <cerrno>

namespace tendril::detail::shim {

/// libc's functions, from the shim: without one nobody calls operations.
extern tendril_shim_ops libc;

/// By tendril_shim_index; null when nobody will read them.
extern tendril_shim_counter* counters;

enum class went { waited, at_once, passed_through };
inline void count(tendril_shim_index index, went how) noexcept {
    if (counters == nullptr) [[likely]] {
        return;
    }
    tendril_shim_counter& c = counters[index];
    std::uint64_t& n = how == went::waited    ? c.waited
                       : how == went::at_once ? c.at_once
                                              : c.passed_through;
    __atomic_fetch_add(&n, 1, __ATOMIC_RELAXED);
}

/// The fiber that is inside an operation, when the code that runs is that operation's.
inline thread_local constinit const fiber_record* inside [[gnu::tls_model("initial-exec")]] =
    nullptr;

/// True when a hub's operations cannot be used now: the thread has no hub (any more), or this is a
/// signal handler that interrupted the hub at its own work.
inline bool must_pass(hub_core* hub) noexcept {
    if (hub == nullptr) {
        return true;
    }
    const fiber_record& r = hub->running();
    const bool parked = r.waiting != nullptr;
    const bool ended = r.job == nullptr && &r != &hub->main_fiber() && !hub_core::is_guest(r);
    return parked || ended || inside == &r;
}

class inside_scope {
public:
    explicit inside_scope(hub_core& hub) noexcept { inside = &hub.running(); }
    ~inside_scope() { inside = nullptr; }
    inside_scope(const inside_scope&) = delete;
    inside_scope& operator=(const inside_scope&) = delete;
};

class errno_kept {
public:
    errno_kept() noexcept
        : saved_(errno) {}
    ~errno_kept() { errno = saved_; }
    errno_kept(const errno_kept&) = delete;
    errno_kept& operator=(const errno_kept&) = delete;

private:
    int saved_;
};

/// Returns what `in_hub(hub, options)` returns, or, when that cannot be had, `original()`, which is
/// the libc call. `Options` has a member `waited`.
template <typename Options = io::options, typename InHub, typename Original>
auto serve(tendril_shim_index index, InHub in_hub, Original original) noexcept
    -> decltype(original()) {
    hub_core* const hub = hub_core::current_or_null();
    if (must_pass(hub)) [[unlikely]] {
        count(index, went::passed_through);
        return original();
    }
    const inside_scope scope(*hub);
    if (openssl::awaited) [[unlikely]] {
        openssl::look_again(*hub);
    }
    Options options;
    const auto result = in_hub(*hub, options);
    count(index, options.waited ? went::waited : went::at_once);
    return result;
}

/// The same for a call that reports errors in errno, which `in_hub` returns as -errno. errno stays
/// as it was unless the call fails.
template <typename InHub, typename Original>
auto call(tendril_shim_index index, InHub in_hub, Original original) noexcept
    -> decltype(original()) {
    using result_type = decltype(original());
    return serve(
        index,
        [&](hub_core& hub, io::options& options) -> result_type {
            const int saved = errno;
            options.as_program = true;
            const auto result = static_cast<result_type>(in_hub(hub, options));
            errno = result < 0 ? static_cast<int>(-result) : saved;
            return result < 0 ? -1 : result;
        },
        original);
}

/// -errno of a libc-style result.
template <typename Result>
Result negative(Result result) noexcept {
    return result < 0 ? static_cast<Result>(-errno) : result;
}

} // namespace tendril::detail::shim
