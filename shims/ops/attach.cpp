// SPDX-License-Identifier: BSL-1.0
//
// Where libtendril and the shim find each other, when both are in the process.

#include "shims/ops/attach.hpp"

#include "fiber/overflow.hpp"
#include "hub/foreign_call.hpp"
#include "hub/hub_core.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/locale.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/totals.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <cstdio>
#include <dlfcn.h>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

namespace tendril::detail::shim {

constinit tendril_shim_ops libc = {};
constinit tendril_shim_counter* counters = nullptr;

namespace {

enum class relation {
    alone,   ///< no shim in this process
    served,  ///< the shim's calls come to us
    refused, ///< they go to another copy of this library
    stranger ///< the shim is of another version
};

relation with_shim = relation::alone;
tendril_shim_side side;

int engage() noexcept {
    try {
        hub_core::current();
        return 0;
    } catch (const std::system_error& e) {
        return e.code().value();
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}

void signalled(bool restarts) noexcept {
    if (hub_core* const hub = hub_core::current_or_null()) {
        hub->signalled(restarts);
    }
}

// Null leaves a function to libc. What only counts, or needs no hub, the shim keeps to itself.
#define TENDRIL_OPERATION_waits(name) ops::name
#define TENDRIL_OPERATION_yields(name) ops::name
#define TENDRIL_OPERATION_tracks(name) ops::name
#define TENDRIL_OPERATION_finishes(name) ops::name
#define TENDRIL_OPERATION_follows(name) ops::name
#define TENDRIL_OPERATION_counts(name) nullptr
#define TENDRIL_OPERATION_here(name) nullptr
constexpr tendril_shim_ops operations = {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    TENDRIL_OPERATION_##kind(name),
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    TENDRIL_OPERATION_##kind(name),
#include "shims/symbols.def"
};

constexpr tendril_shim_hub hub_side = {
    tendril_shim_abi,
    sizeof operations,
    &operations,
    [] { return engage(); },
    [](tendril_shim_numbers* out) { add_up(*out); },
    [](int restarts) { signalled(restarts != 0); },
    [](int number, struct sigaction* action) { show_earlier_handler(number, *action); },
    [](int number) { watch_for_overflow_again(number); }};

void take_originals() noexcept {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    libc.name = reinterpret_cast<decltype(libc.name)>(side.original(#name));
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)
#include "shims/symbols.def"
    sys::rebind(side.original);
}

// As the library is loaded, so that the originals are there before anybody calls, and the shim
// knows that it need not load a copy of its own.
[[gnu::constructor]] void find_shim() noexcept {
    auto* const attach =
        reinterpret_cast<tendril_shim_attach*>(::dlsym(RTLD_DEFAULT, TENDRIL_SHIM_ATTACH));
    if (attach == nullptr) {
        return;
    }
    switch (attach(&hub_side, &side)) {
    case 0:
        with_shim = relation::served;
        counters = side.counters;
        take_originals();
        side.publish();
        break;
    case EBUSY:
        with_shim = relation::refused;
        take_originals();
        break;
    default:
        with_shim = relation::stranger;
        break;
    }
}

void report_once(const char* what) noexcept {
    static std::atomic<bool> reported{false};
    if (reported.exchange(true)) {
        return;
    }
    Dl_info self;
    const bool found = ::dladdr(&hub_side, &self) != 0;
    std::fprintf(stderr, "tendril: %s: %s; blocking calls of its fibers block their thread\n",
                 found ? self.dli_fname : "libtendril", what);
}

/// A thread's share in the totals, and the end of its slot.
class thread_share final : public hub_extension {
public:
    void enter(hub_core& hub) { entry_ = &shim::enter(hub); }
    void ending() noexcept override {
        if (with_shim == relation::served) {
            *side.slot() = side.idle;
            shim_slot = nullptr;
        }
        retire(*entry_);
    }

private:
    totals_entry* entry_ = nullptr;
};

} // namespace

bool alone() noexcept {
    return with_shim == relation::alone || with_shim == relation::stranger;
}

bool is_shimmed(const char* name) noexcept {
    return with_shim == relation::served && side.reaches(name) != 0;
}

void* real_function(const char* name) noexcept {
    const int saved = errno;
    void* found = nullptr;
    switch (with_shim) {
    case relation::alone:
        found = ::dlsym(RTLD_DEFAULT, name);
        break;
    case relation::served:
    case relation::refused:
        found = side.original(name);
        break;
    case relation::stranger: // whose names come before libc's
        if (void* const libc_itself = ::dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD)) {
            found = ::dlsym(libc_itself, name);
        }
        break;
    }
    errno = saved;
    return found;
}

void hub_began(hub_core& hub) {
    auto share = std::make_unique<thread_share>();
    share->enter(hub);
    hub.extension(extension_slot::shim) = std::move(share);
    switch (with_shim) {
    case relation::alone:
        break;
    case relation::served:
        *side.slot() = side.active;
        shim_slot = reinterpret_cast<const void**>(side.slot());
        keep_locale_if_set(hub);
        break;
    case relation::refused:
        *side.slot() = side.idle;
        report_once("the shim serves another copy of libtendril in this process");
        break;
    case relation::stranger:
        report_once("the shim in this process is of another version");
        break;
    }
}

} // namespace tendril::detail::shim
