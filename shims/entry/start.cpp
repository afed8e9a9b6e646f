// SPDX-License-Identifier: BSL-1.0
//
// What happens at the start and the end of the process. No system call of ours, unless a setting
// asks for something: a child that was locked up before it got here would die of it.

#include "shims/entry/shim.hpp"
#include "shims/statistics.hpp"

#include <cerrno>
#include <cstdio>
#include <dlfcn.h>
#include <sys/auxv.h>
#include <unistd.h>

namespace tendril::shim {

namespace {

std::atomic<const tendril_shim_hub*> owner{nullptr};

[[gnu::constructor(101)]] void at_load() noexcept {
    start();
}

[[gnu::destructor(101)]] void at_exit() noexcept {
    if (setting.stats == nullptr) {
        return;
    }
    slot = nullptr;
    tendril_shim_numbers numbers = {};
    if (const tendril_shim_hub* const hub = attached()) {
        hub->numbers(&numbers);
    }
    write_statistics(setting.stats, numbers, counters, threads_at_most(), originals.write,
                     originals.close);
}

const tendril_shim_ops** slot_of_thread() {
    return &slot;
}

void* original_of(const char* wanted) {
    static_assert(sizeof originals == tendril_shim_functions * sizeof(void*));
    for (std::size_t i = 0; i < tendril_shim_functions; ++i) {
        if (strcmp(wanted, function_name(i)) == 0) {
            return reinterpret_cast<void* const*>(&originals)[i];
        }
    }
    return nullptr;
}

void publish() {
    tracked.store(&active, std::memory_order_release);
}

} // namespace

void start() noexcept {
    static bool begun = false;
    if (begun) {
        return;
    }
    begun = true;
    const int saved = errno;
    resolve_originals();
    read_settings();
    if (setting.stats != nullptr) {
        begin_statistics();
    }
    if (setting.engage != engagement::none) {
        remember_process();
    }
    if ((setting.debug || setting.engage != engagement::none) && !interposes()) {
        setting.engage = engagement::none;
    }
    errno = saved;
    started.store(true, std::memory_order_release);
}

/// A program may bring a function of its own under libc's name (ssh brings closefrom) and means
/// that.
static bool in_program(const void* address) noexcept {
    Dl_info found = {};
    Dl_info program = {};
    return dladdr(address, &found) != 0 &&
           dladdr(reinterpret_cast<const void*>(getauxval(AT_ENTRY)), &program) != 0 &&
           found.dli_fbase == program.dli_fbase;
}

bool interposes() noexcept {
    std::size_t here = 0;
    std::size_t elsewhere = 0;
    std::size_t own = 0;
    char names[2048];
    char own_names[2048];
    text list(names, sizeof names);
    text own_list(own_names, sizeof own_names);
    for (std::size_t i = 0; i < entry_count; ++i) {
        // A name that only old programs know is nobody else's, so it tells nothing.
        if (dlsym(RTLD_NEXT, entries[i].name()) == nullptr) {
            continue;
        }
        const void* const found = dlsym(RTLD_DEFAULT, entries[i].name());
        if (found == entries[i].address) {
            ++here;
        } else if (in_program(found)) {
            ++own;
            own_list.add(" %s", entries[i].name());
        } else {
            ++elsewhere;
            list.add(" %s", entries[i].name());
        }
    }
    if (here == 0) {
        dprintf(STDERR_FILENO, "tendril: this shim interposes nothing: it was loaded too late, or "
                               "another copy comes first. Preload it (tendril run, LD_PRELOAD) or "
                               "link it before libc\n");
    } else if (elsewhere != 0) {
        dprintf(STDERR_FILENO, "tendril: another library comes before the shim for:%s\n", names);
    } else if (setting.debug && own != 0) {
        dprintf(STDERR_FILENO, "tendril: the program has its own:%s\n", own_names);
    } else if (setting.debug) {
        dprintf(STDERR_FILENO, "tendril: the shim interposes all of its %zu functions\n",
                entry_count);
    }
    return here != 0;
}

bool reaches(const char* name) noexcept {
    for (std::size_t i = 0; i < entry_count; ++i) {
        const entry& e = entries[i];
        if (strcmp(e.name(), name) == 0) {
            const bool is_on = e.of == family_always || (setting.families & e.of) != 0;
            return is_on && !e.only_counted && dlsym(RTLD_DEFAULT, name) == e.address;
        }
    }
    return false;
}

const tendril_shim_hub* attached() noexcept {
    return &tracking() == &active ? owner.load(std::memory_order_relaxed) : nullptr;
}

} // namespace tendril::shim

extern "C" TENDRIL_EXPORT int tendril_shim_attach_v1(const tendril_shim_hub* hub,
                                                     tendril_shim_side* side) {
    using namespace tendril::shim;
    if (hub->abi != tendril_shim_abi || hub->size != sizeof(ops_table)) {
        return EPROTO;
    }
    start();
    *side = {slot_of_thread,
             &active,
             idle,
             original_of,
             publish,
             setting.stats ? counters : nullptr,
             [](const char* name) { return reaches(name) ? 1 : 0; }};
    const tendril_shim_hub* none = nullptr;
    if (owner.compare_exchange_strong(none, hub)) {
        fill_active(*hub->ops);
        return 0;
    }
    return none == hub ? 0 : EBUSY;
}
