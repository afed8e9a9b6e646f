// SPDX-License-Identifier: BSL-1.0
#include "shims/entry/shim.hpp"

#include <cstdarg>

namespace tendril::shim {

namespace {

enum kind {
    kind_waits,
    kind_follows,
    kind_yields,
    kind_tracks,
    kind_finishes,
    kind_counts,
    kind_here
};

/// What threads without a hub must not keep from the hubs.
constexpr bool concerns_hubs(kind k) {
    return k == kind_tracks || k == kind_finishes;
}

} // namespace

// --- counting ------------------------------------------------------------------------------------
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    static type count_##name parameters {                                                          \
        if (!concerns_hubs(kind_##kind) || attached() == nullptr) {                                \
            count_call(counters[tendril_shim_index_##name].passed_through);                        \
        }                                                                                          \
        return TENDRIL_COUNTED_##kind(name) arguments;                                             \
    }
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    static type count_##name parameters {                                                          \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        count_call(counters[tendril_shim_index_##name].passed_through);                            \
        return originals.name arguments;                                                           \
    }
#define TENDRIL_COUNTED_waits(name) originals.name
#define TENDRIL_COUNTED_yields(name) originals.name
#define TENDRIL_COUNTED_tracks(name) tracking().name
#define TENDRIL_COUNTED_finishes(name) tracking().name
#define TENDRIL_COUNTED_follows(name) originals.name
#define TENDRIL_COUNTED_counts(name) counted_##name
#define TENDRIL_COUNTED_here(name) here::name
#include "shims/symbols.def"

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits) count_##name,
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    count_##name,
constinit const ops_table counting = {
#include "shims/symbols.def"
};

// --- undecided -----------------------------------------------------------------------------------
// A call that cannot block decides nothing: a program that only opens and closes needs no hub.
#define TENDRIL_UNDECIDED(kind, name, arguments)                                                   \
    const ops_table& table = kind_##kind == kind_waits ? decide()                                  \
                             : concerns_hubs(kind_##kind) && attached() != nullptr                 \
                                 ? active                                                          \
                                 : without_hub();                                                  \
    return table.name arguments;

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    static type undecided_##name parameters {                                                      \
        TENDRIL_UNDECIDED_##kind(kind, name, arguments)                                            \
    }
#define TENDRIL_UNDECIDED_waits TENDRIL_UNDECIDED
#define TENDRIL_UNDECIDED_yields TENDRIL_UNDECIDED
#define TENDRIL_UNDECIDED_tracks TENDRIL_UNDECIDED
#define TENDRIL_UNDECIDED_finishes TENDRIL_UNDECIDED
#define TENDRIL_UNDECIDED_follows TENDRIL_UNDECIDED
#define TENDRIL_UNDECIDED_counts TENDRIL_UNDECIDED
#define TENDRIL_UNDECIDED_here(kind, name, arguments) return here::name arguments;
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    static type undecided_##name parameters {                                                      \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void* const argument = va_arg(list, void*);                                                \
        va_end(list);                                                                              \
        TENDRIL_UNDECIDED(kind, name, arguments)                                                   \
    }
#include "shims/symbols.def"

#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits) undecided_##name,
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    undecided_##name,
constinit const ops_table undecided = {
#include "shims/symbols.def"
};

// --- active --------------------------------------------------------------------------------------
ops_table active;

void fill_active(const ops_table& operations) noexcept {
    const ops_table& off = without_hub();
    const auto on = [](family f) { return f == family_always || (setting.families & f) != 0; };
#define TENDRIL_ACTIVE_waits(name) off.name
#define TENDRIL_ACTIVE_yields(name) off.name
#define TENDRIL_ACTIVE_tracks(name) off.name
#define TENDRIL_ACTIVE_finishes(name) off.name
#define TENDRIL_ACTIVE_follows(name) off.name
#define TENDRIL_ACTIVE_counts(name) off.name
#define TENDRIL_ACTIVE_here(name) here::name
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    active.name = operations.name != nullptr && on(family_##family) ? operations.name              \
                                                                    : TENDRIL_ACTIVE_##kind(name);
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)
#include "shims/symbols.def"
}

thread_local constinit const ops_table* slot [[gnu::tls_model("initial-exec")]] = &undecided;

} // namespace tendril::shim
