// SPDX-License-Identifier: BSL-1.0
#include "shims/entry/shim.hpp"
#include "shims/names.hpp"

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

/// Null: this libc does not have it.
void* look_up(const char* name) noexcept {
    const int saved = errno;
    ++nested;
    // dlsym gives the default version, which is the one that today's linker would bind.
    void* const found = nested > nested_at_most ? nullptr : dlsym(RTLD_NEXT, name);
    --nested;
    errno = saved;
    return found;
}

using any_function [[gnu::may_alias]] = void*;

/// Done twice, in two threads, it stores the same value twice.
void* resolve(std::size_t index, void* missing) noexcept {
    void* const found = look_up(function_name(index));
    void* const result = found != nullptr ? found : missing;
    if (result != nullptr) {
        __atomic_store_n(reinterpret_cast<any_function*>(&originals) + index, result,
                         __ATOMIC_RELAXED);
    }
    return result;
}

template <typename Function>
Function resolve(std::size_t index) noexcept {
    return reinterpret_cast<Function>(
        resolve(index, reinterpret_cast<void*>(&missing<Function>::call)));
}

} // namespace

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    static type first_##name parameters {                                                          \
        return resolve<decltype(originals.name)>(tendril_shim_index_##name) arguments;             \
    }
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    static type first_##name parameters {                                                          \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        return resolve<decltype(originals.name)>(tendril_shim_index_##name) arguments;             \
    }
#include "shims/symbols.def"

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits) first_##name,
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    first_##name,
constinit ops_table originals = {
#include "shims/symbols.def"
};

void resolve_originals() noexcept {
    for (std::size_t i = 0; i < tendril_shim_functions; ++i) {
        resolve(i, nullptr); // what is missing keeps its first_, which says so
    }
}

} // namespace tendril::shim
