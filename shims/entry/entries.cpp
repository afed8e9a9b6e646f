// SPDX-License-Identifier: BSL-1.0
//
// The functions that programs call in place of libc's. Each has its libc name only for the
// assembler: the headers declare these with other exception specifications, as inline functions
// that check, or redirected to their 64-bit forms.

#include "shims/entry/shim.hpp"

#include <cstdarg>

extern "C" [[noreturn]] void __chk_fail(); // glibc's 'buffer overflow detected'

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
#define TENDRIL_PASSED_counts(name) tendril::shim::originals.name
#define TENDRIL_PASSED_here(name) tendril::shim::here::name

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    TENDRIL_ENTRY(name, type, parameters) {                                                        \
        const tendril_shim_ops* const ops = tendril::shim::slot;                                   \
        return ops == nullptr ? TENDRIL_PASSED_##kind(name) arguments : ops->name arguments;       \
    }

// glibc itself fetches the optional argument as a pointer, whatever the caller passed.
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    TENDRIL_ENTRY(name, type, parameters) {                                                        \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        const tendril_shim_ops* const ops = tendril::shim::slot;                                   \
        return ops == nullptr ? TENDRIL_PASSED_##kind(name) arguments : ops->name arguments;       \
    }

#define TENDRIL_ALIAS(alias, name, type, parameters, arguments)                                    \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        return static_cast<type>(tendril_local_##name arguments);                                  \
    }

#define TENDRIL_VARIADIC_ALIAS(alias, name, type, parameters, arguments, last)                     \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        return tendril_local_##name arguments;                                                     \
    }

#define TENDRIL_FORMATTED(alias, name, type, parameters, arguments, last)                          \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        tendril_local_##name arguments;                                                            \
        va_end(list);                                                                              \
    }

#define TENDRIL_CHECKED(alias, name, type, parameters, arguments, overflow)                        \
    TENDRIL_ENTRY(alias, type, parameters) {                                                       \
        if (overflow) {                                                                            \
            __chk_fail();                                                                          \
        }                                                                                          \
        return tendril_local_##name arguments;                                                     \
    }

#include "shims/symbols.def"

namespace tendril::shim {

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    {#name, reinterpret_cast<void*>(&tendril_local_##name)},
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    {#name, reinterpret_cast<void*>(&tendril_local_##name)},
#define TENDRIL_ALIAS(alias, name, type, parameters, arguments)                                    \
    {#alias, reinterpret_cast<void*>(&tendril_local_##alias)},
#define TENDRIL_VARIADIC_ALIAS(alias, name, type, parameters, arguments, last)                     \
    {#alias, reinterpret_cast<void*>(&tendril_local_##alias)},
#define TENDRIL_FORMATTED(alias, name, type, parameters, arguments, last)                          \
    {#alias, reinterpret_cast<void*>(&tendril_local_##alias)},
#define TENDRIL_CHECKED(alias, name, type, parameters, arguments, overflow)                        \
    {#alias, reinterpret_cast<void*>(&tendril_local_##alias)},
const entry entries[] = {
#include "shims/symbols.def"
};
const std::size_t entry_count = sizeof entries / sizeof entries[0];

} // namespace tendril::shim
