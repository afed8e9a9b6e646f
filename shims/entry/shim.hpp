// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the files of libtendril_shim share. None of this may need anything but libc: no exceptions,
// no guarded statics, nothing that allocates.

#include "shims/families.hpp"
#include "shims/ops.hpp"

#include <tendril/export.hpp>

#include <atomic>

namespace tendril::shim {

using ops_table = tendril_shim_ops;

// --- where calls go ------------------------------------------------------------------------------
/// libc's functions. Until start() has run each looks itself up at its first call: constructors of
/// other libraries and allocators may call us before.
extern ops_table originals;

/// Looks all of them up.
void resolve_originals() noexcept;

/// Counts, then calls libc: what threads without a hub use when TENDRIL_STATS is set.
extern const ops_table counting;

/// What every thread begins with: its first call that may block decides where its calls go.
extern const ops_table undecided;

/// The hub's operations, with libc's where a family is off.
extern ops_table active;
void fill_active(const ops_table& operations) noexcept;

/// Null goes straight to libc. Initial-exec, so that reading it is one load.
extern thread_local constinit const ops_table* slot [[gnu::tls_model("initial-exec")]];

/// Where calls of a thread without a hub go.
inline const ops_table* idle = nullptr;
inline const ops_table& without_hub() noexcept {
    return idle != nullptr ? *idle : originals;
}

/// Where such a thread's calls go that take an fd away from under fibers of other threads: libc,
/// until a copy of libtendril has attached.
inline std::atomic<const ops_table*> tracked{&originals};
[[gnu::always_inline]] inline const ops_table& tracking() noexcept {
    return *tracked.load(std::memory_order_acquire);
}

/// What the shim does itself, with a hub or without one.
namespace here {
#define TENDRIL_HERE_waits(type, name, parameters)
#define TENDRIL_HERE_yields(type, name, parameters)
#define TENDRIL_HERE_tracks(type, name, parameters)
#define TENDRIL_HERE_finishes(type, name, parameters)
#define TENDRIL_HERE_follows(type, name, parameters)
#define TENDRIL_HERE_counts(type, name, parameters)
#define TENDRIL_HERE_here(type, name, parameters) type name parameters noexcept;
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    TENDRIL_HERE_##kind(type, name, parameters)
#include "shims/symbols.def"
} // namespace here

// --- settings: read once from the environment ----------------------------------------------------
enum class engagement : unsigned char { none, main, all };

struct settings {
    engagement engage = engagement::none;
    unsigned families = ~0U;
    bool debug = false;
    const char* stats = nullptr; ///< a file name, in which %p is the process id
    const char* deny = nullptr;  ///< patterns of objects whose calls go to libc, with commas
};
inline settings setting;

/// A value that makes no sense ends the process with status 2.
void read_settings() noexcept;

/// What the constructor does; whoever needs it earlier calls it too.
void start() noexcept;
inline std::atomic<bool> started = false; ///< until then everything passes through

/// While there is a TENDRIL_DENY, of a thread whose slot is not null: where a call goes that will
/// return to that address. To libc if it comes from one of those, and then it is counted.
const ops_table* choose(const void* return_address, tendril_shim_index function) noexcept;

// --- engagement ----------------------------------------------------------------------------------
/// Decides where the calling thread's calls go from now on, and if it is to be engaged gives it a
/// hub, loading libtendril when nobody has. Returns where the present call goes.
const ops_table& decide() noexcept;

/// Keeps the main thread and the process id, for decide().
void remember_process() noexcept;

/// The start-up self-check: do calls of these names come here? Reports what does not.
bool interposes() noexcept;

/// Calls of that name come here, and its family is on.
bool reaches(const char* name) noexcept;

struct entry {
    void* address;
    family of;
    std::uint16_t name_at; ///< shims/names.hpp says why no pointer
    bool only_counted;

    const char* name() const noexcept;
};
extern const entry entries[];
extern const std::size_t entry_count;

/// The copy of libtendril that attached, or null.
const tendril_shim_hub* attached() noexcept;

// --- statistics ----------------------------------------------------------------------------------
inline tendril_shim_counter counters[tendril_shim_functions];
[[gnu::always_inline]] inline void count_call(std::uint64_t& c) noexcept {
    __atomic_fetch_add(&c, 1, __ATOMIC_RELAXED);
}
void begin_statistics() noexcept;
unsigned threads_at_most() noexcept;

/// The entries of pthread_create and thrd_create while statistics are on.
int counted_pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                           tendril_thread_start start, void* argument) noexcept;
int counted_thrd_create(thrd_t* thread, thrd_start_t start, void* argument) noexcept;

} // namespace tendril::shim
