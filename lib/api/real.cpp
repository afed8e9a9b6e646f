// SPDX-License-Identifier: BSL-1.0
#include <tendril/real.hpp>

#include "shims/ops.hpp"
#include "shims/ops/attach.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <syslog.h>
#include <type_traits>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // as libc says of some of its own

namespace tendril {
inline namespace v1 {
namespace real {
namespace {

// That it compiles says that the two are alike, but for exceptions, of which libc has none.
template <typename Result, typename... Parameters>
constexpr bool is_alike(Result (*)(Parameters...), Result (*)(Parameters...)) {
    return true;
}
template <typename Result, typename... Parameters>
constexpr bool is_alike(Result (*)(Parameters..., ...), Result (*)(Parameters..., ...)) {
    return true;
}

/// Of a function that this libc does not have.
template <typename Result, typename... Arguments>
Result missing(Arguments...) noexcept {
    errno = ENOSYS;
    if constexpr (std::is_pointer_v<Result>) {
        return nullptr;
    } else if constexpr (!std::is_void_v<Result>) {
        return static_cast<Result>(-1);
    }
}

/// Looks it up at the first call.
template <typename Function>
Function found(std::atomic<Function>& known, const char* name) noexcept {
    Function f = known.load(std::memory_order_relaxed);
    if (f == nullptr) [[unlikely]] {
        f = reinterpret_cast<Function>(detail::shim::real_function(name));
        known.store(f, std::memory_order_relaxed);
    }
    return f;
}

} // namespace

#define TENDRIL_REAL(name, type, arguments)                                                        \
    static constinit std::atomic<decltype(tendril_shim_ops::name)> known{nullptr};                 \
    const auto function = found(known, #name);                                                     \
    return function != nullptr ? function arguments : missing<type> arguments;

#define TENDRIL_UNDECLARED(name, family, kind, type, parameters, arguments, limits)
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    type name parameters {                                                                         \
        TENDRIL_REAL(name, type, arguments)                                                        \
    }                                                                                              \
    static_assert(is_alike(&real::name, &::name));
// glibc itself fetches the optional argument as a pointer, whatever the caller passed.
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    type name parameters {                                                                         \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        TENDRIL_REAL(name, type, arguments)                                                        \
    }                                                                                              \
    static_assert(is_alike(&real::name, &::name));
#include "shims/symbols.def"

} // namespace real
} // namespace v1
} // namespace tendril
