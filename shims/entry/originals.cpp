// SPDX-License-Identifier: BSL-1.0
#include "shims/entry/shim.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <dlfcn.h>
#include <type_traits>

namespace tendril::shim {

namespace {

// A lookup that fails allocates its message, and the allocator may call what is being looked up.
thread_local constinit int nested [[gnu::tls_model("initial-exec")]] = 0;
constexpr int nested_at_most = 4;

/// A function that this libc does not have.
template <typename Function>
struct missing;

template <typename Result, typename... Arguments>
struct missing<Result (*)(Arguments...)> {
    static Result call(Arguments...) noexcept {
        errno = ENOSYS;
        if constexpr (std::is_pointer_v<Result>) {
            return nullptr;
        } else if constexpr (!std::is_void_v<Result>) {
            return static_cast<Result>(-1);
        }
    }
};

template <typename Result, typename... Arguments>
struct missing<Result (*)(Arguments..., ...)> {
    static Result call(Arguments..., ...) noexcept {
        errno = ENOSYS;
        return static_cast<Result>(-1);
    }
};

void* look_up(const char* name, void* missing) noexcept {
    const int saved = errno;
    ++nested;
    // dlsym gives the default version, which is the one that today's linker would bind.
    void* const found = nested > nested_at_most ? nullptr : dlsym(RTLD_NEXT, name);
    --nested;
    errno = saved;
    return found != nullptr ? found : missing;
}

template <typename Function>
Function look_up(const char* name) noexcept {
    return reinterpret_cast<Function>(
        look_up(name, reinterpret_cast<void*>(&missing<Function>::call)));
}

} // namespace

// Resolving twice in two threads stores the same value twice.
#define TENDRIL_RESOLVED(name)                                                                     \
    (__atomic_store_n(&originals.name, look_up<decltype(originals.name)>(#name),                   \
                      __ATOMIC_RELAXED),                                                           \
     originals.name)

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    static type first_##name parameters {                                                          \
        return TENDRIL_RESOLVED(name) arguments;                                                   \
    }
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    static type first_##name parameters {                                                          \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        return TENDRIL_RESOLVED(name) arguments;                                                   \
    }
#include "shims/symbols.def"

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits) first_##name,
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    first_##name,
constinit ops_table originals = {
#include "shims/symbols.def"
};

void resolve_originals() noexcept {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    static_cast<void>(TENDRIL_RESOLVED(name));
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    static_cast<void>(TENDRIL_RESOLVED(name));
#include "shims/symbols.def"
}

} // namespace tendril::shim
