// SPDX-License-Identifier: BSL-1.0
//
// The functions that programs call in place of libc's. Each has its libc name only for the
// assembler: the headers declare these with other exception specifications, as inline functions
// that check, or redirected to their 64-bit forms.

// No inline getchar and the like from <stdio.h>: its name would be taken.
#ifndef __NO_INLINE__
#define __NO_INLINE__ 1
#endif

#include "shims/entry/shim.hpp"

#include <cstdarg>
#include <cstddef>

extern "C" [[noreturn]] void __chk_fail(); // glibc's 'buffer overflow detected'

namespace {

/// va_end after a call of any type, void among them.
class end_of_list {
public:
    explicit end_of_list(va_list& list) noexcept
        : list_(list) {}
    ~end_of_list() { va_end(list_); }
    end_of_list(const end_of_list&) = delete;
    end_of_list& operator=(const end_of_list&) = delete;

private:
    va_list& list_;
};

} // namespace

// The second, hidden name is for use in here: the first may belong to another library that comes
// before us in the process.
#define TENDRIL_ENTRY(name, type, parameters)                                                      \
    extern "C" TENDRIL_EXPORT type tendril_entry_##name parameters __asm__(#name);                 \
    extern "C" __attribute__((alias(#name), visibility("hidden")))                                 \
    type tendril_local_##name parameters;                                                          \
    type tendril_entry_##name parameters

#define TENDRIL_PASSED_waits(name) tendril::shim::originals.name
#define TENDRIL_PASSED_yields(name) tendril::shim::originals.name
#define TENDRIL_PASSED_tracks(name) tendril::shim::tracking().name
#define TENDRIL_PASSED_finishes(name) tendril::shim::tracking().name
#define TENDRIL_PASSED_follows(name) tendril::shim::originals.name
#define TENDRIL_PASSED_counts(name) tendril::shim::originals.name
#define TENDRIL_PASSED_here(name) tendril::shim::here::name

namespace {

/// A call that is made through here goes where `from` may go. Never inlined, so that an entry need
/// not save its arguments on the usual way, and one for all functions of a type.
template <typename Function>
Function chosen(tendril_shim_index index, const void* from) {
    Function function = nullptr; // they are in the table in the order of their indices
    __builtin_memcpy(&function,
                     reinterpret_cast<const char*>(tendril::shim::choose(from, index)) +
                         index * sizeof function,
                     sizeof function);
    return function;
}

template <typename Function>
struct asked;
template <typename Result, typename... Parameters>
struct asked<Result (*)(Parameters...)> {
    [[gnu::noinline, gnu::cold]] static Result call(Parameters... arguments,
                                                    tendril_shim_index index, const void* from) {
        return chosen<Result (*)(Parameters...)>(index, from)(arguments...);
    }
};
template <typename Result, typename... Parameters>
struct asked<Result (*)(Parameters..., ...)> {
    [[gnu::noinline, gnu::cold]] static Result call(Parameters... arguments, void* argument,
                                                    tendril_shim_index index, const void* from) {
        return chosen<Result (*)(Parameters..., ...)>(index, from)(arguments..., argument);
    }
};

/// What ends that which an earlier call began, and that may have been made in a way that is not the
/// library's own. They know whether it was libc's.
constexpr bool ends_another(const char* name) {
    return __builtin_strcmp(name, "pclose") == 0 || __builtin_strcmp(name, "funlockfile") == 0;
}

} // namespace

// TENDRIL_DENY keeps calls from waiting in a hub, but not from the hub what it must know. Asked in
// each entry, for it is about who called that.
#define TENDRIL_DENIABLE_waits true
#define TENDRIL_DENIABLE_follows true
#define TENDRIL_DENIABLE_yields true
#define TENDRIL_DENIABLE_tracks false
#define TENDRIL_DENIABLE_finishes true
#define TENDRIL_DENIABLE_counts false
#define TENDRIL_DENIABLE_here false
#define TENDRIL_DENIABLE(name, family, kind)                                                       \
    static constexpr bool tendril_deniable_##name =                                                \
        TENDRIL_DENIABLE_##kind &&                                                                 \
        tendril::shim::family_##family != tendril::shim::family_always && !ends_another(#name);
#define TENDRIL_MAY_BE_DENIED(name)                                                                \
    (tendril_deniable_##name && tendril::shim::setting.deny != nullptr &&                          \
     tendril::shim::slot != nullptr)
#define TENDRIL_BEFORE_OTHERS(...) __VA_ARGS__ __VA_OPT__(, )
#define TENDRIL_ASKED(name, arguments)                                                             \
    asked<decltype(tendril_shim_ops::name)>::call(                                                 \
        TENDRIL_BEFORE_OTHERS arguments tendril_shim_index_##name, __builtin_return_address(0))

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    TENDRIL_DENIABLE(name, family, kind)                                                           \
    TENDRIL_ENTRY(name, type, parameters) {                                                        \
        const tendril_shim_ops* const ops = tendril::shim::slot;                                   \
        if (TENDRIL_MAY_BE_DENIED(name)) [[unlikely]] {                                            \
            return TENDRIL_ASKED(name, arguments);                                                 \
        }                                                                                          \
        return ops == nullptr ? TENDRIL_PASSED_##kind(name) arguments : ops->name arguments;       \
    }

// glibc itself fetches the optional argument as a pointer, whatever the caller passed.
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    TENDRIL_DENIABLE(name, family, kind)                                                           \
    TENDRIL_ENTRY(name, type, parameters) {                                                        \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        const tendril_shim_ops* const ops = tendril::shim::slot;                                   \
        if (TENDRIL_MAY_BE_DENIED(name)) [[unlikely]] {                                            \
            return TENDRIL_ASKED(name, arguments);                                                 \
        }                                                                                          \
        return ops == nullptr ? TENDRIL_PASSED_##kind(name) arguments : ops->name arguments;       \
    }

#define TENDRIL_ALIAS(alias, name, type, parameters, arguments)                                    \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        if (TENDRIL_MAY_BE_DENIED(name)) [[unlikely]] {                                            \
            return static_cast<type>(TENDRIL_ASKED(name, arguments));                              \
        }                                                                                          \
        return static_cast<type>(tendril_local_##name arguments);                                  \
    }

#define TENDRIL_VARIADIC_ALIAS(alias, name, type, parameters, arguments, last)                     \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        if (TENDRIL_MAY_BE_DENIED(name)) [[unlikely]] {                                            \
            return TENDRIL_ASKED(name, arguments);                                                 \
        }                                                                                          \
        return tendril_local_##name arguments;                                                     \
    }

#define TENDRIL_FORMATTED(alias, name, type, parameters, arguments, last)                          \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        const end_of_list at_end(list);                                                            \
        if (TENDRIL_MAY_BE_DENIED(name)) [[unlikely]] {                                            \
            return TENDRIL_ASKED(name, arguments);                                                 \
        }                                                                                          \
        return tendril_local_##name arguments;                                                     \
    }

#define TENDRIL_CHECKED(alias, name, type, parameters, arguments, overflow)                        \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        if (overflow) {                                                                            \
            __chk_fail();                                                                          \
        }                                                                                          \
        if (TENDRIL_MAY_BE_DENIED(name)) [[unlikely]] {                                            \
            return TENDRIL_ASKED(name, arguments);                                                 \
        }                                                                                          \
        return tendril_local_##name arguments;                                                     \
    }

#include "shims/symbols.def"

namespace tendril::shim {

namespace {

struct covered {
    family of;
    bool only_counted;
};
#define TENDRIL_COUNTS_waits false
#define TENDRIL_COUNTS_follows false
#define TENDRIL_COUNTS_yields false
#define TENDRIL_COUNTS_tracks false
#define TENDRIL_COUNTS_finishes false
#define TENDRIL_COUNTS_counts true
#define TENDRIL_COUNTS_here false
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    constexpr covered how_##name = {family_##family, TENDRIL_COUNTS_##kind};
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    constexpr covered how_##name = {family_##family, TENDRIL_COUNTS_##kind};
#include "shims/symbols.def"

// Apart from the table, and without pointers: see shims/names.hpp.
struct export_texts {
#define TENDRIL_EXPORTED(alias, name) char text_##alias[sizeof #alias];
#include "shims/exports.def"
};
constexpr export_texts texts = {
#define TENDRIL_EXPORTED(alias, name) #alias,
#include "shims/exports.def"
};

} // namespace

const entry entries[] = {
#define TENDRIL_EXPORTED(alias, name)                                                              \
    {reinterpret_cast<void*>(&tendril_local_##alias), how_##name.of,                               \
     offsetof(export_texts, text_##alias), how_##name.only_counted},
#include "shims/exports.def"
};
const std::size_t entry_count = sizeof entries / sizeof entries[0];

const char* entry::name() const noexcept {
    return reinterpret_cast<const char*>(&texts) + name_at;
}

} // namespace tendril::shim
