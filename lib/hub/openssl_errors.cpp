// SPDX-License-Identifier: BSL-1.0
#include "hub/openssl_errors.hpp"

#include "hub/foreign_call.hpp"

#include <atomic>
#include <dlfcn.h>
#include <link.h>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace tendril::detail::openssl {

namespace {

/// crypto.h and err.h, the same in 1.1 and 3.
struct functions {
    void* (*get_state)() = nullptr; ///< of the thread; makes one
    void (*clear_error)() = nullptr;
    void (*get_memory)(void** allocate, void** again, void** free) = nullptr;
    int (*set_memory)(void* allocate, void* again, void* free) = nullptr;

    bool complete() const noexcept {
        return get_state != nullptr && clear_error != nullptr && get_memory != nullptr &&
               set_memory != nullptr;
    }
};

struct library {
    std::mutex mutex;
    unsigned long long loads = 0; ///< of libraries, at the last look
    functions call;
    pthread_key_t key{};
    std::atomic<found> what{found::no};
    std::vector<void*> spare; ///< cleared states of fibers that have ended
    std::atomic<bool> has_spare{false};
};

library& process() noexcept {
    static union storage {
        constexpr storage()
            : it() {}
        ~storage() {}
        library it;
    } s;
    return s.it;
}

unsigned long long loads_so_far() noexcept {
    unsigned long long n = 0;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* out) {
            *static_cast<unsigned long long*>(out) = info->dlpi_adds;
            return 1;
        },
        &n);
    return n;
}

template <typename Function>
void resolve(Function& to, void* library, const char* name) noexcept {
    to = reinterpret_cast<Function>(::dlsym(library, name));
}

/// Whoever loaded it, and whether or not its names are global. It then stays.
bool find(functions& f) noexcept {
    for (const char* name : {"libcrypto.so.3", "libcrypto.so.1.1"}) {
        if (void* const handle = ::dlopen(name, RTLD_LAZY | RTLD_NOLOAD)) {
            resolve(f.get_state, handle, "ERR_get_state");
            resolve(f.clear_error, handle, "ERR_clear_error");
            resolve(f.get_memory, handle, "CRYPTO_get_mem_functions");
            resolve(f.set_memory, handle, "CRYPTO_set_mem_functions");
            if (f.complete()) {
                return true;
            }
            ::dlclose(handle);
        }
    }
    return false;
}

/// It may be told how to get memory until it first needed some; to what it has, changes nothing.
bool is_unused(const functions& f) noexcept {
    void *allocate = nullptr, *again = nullptr, *free = nullptr;
    f.get_memory(&allocate, &again, &free);
    return f.set_memory(allocate, again, free) != 0;
}

/// The key under which pthread_getspecific() has the calling thread's state.
bool find_key(library& l) noexcept {
    const void* const state = l.call.get_state();
    for (pthread_key_t k = 0; state != nullptr && k < PTHREAD_KEYS_MAX; ++k) {
        if (::pthread_getspecific(k) == state) {
            l.key = k;
            return true;
        }
    }
    return false;
}

// The mutex is only tried: a child may find it taken for ever, by a thread that it lacks.

/// Null: none.
void* take_spare(library& l) noexcept {
    const std::unique_lock lock(l.mutex, std::try_to_lock);
    if (!lock.owns_lock() || l.spare.empty()) {
        return nullptr;
    }
    void* const state = l.spare.back();
    l.spare.pop_back();
    l.has_spare.store(!l.spare.empty(), std::memory_order_relaxed);
    return state;
}

// A state is memory like any other: it may go on in another thread, and none is ever freed but by
// OpenSSL at the end of the thread that has it then.
void* take(void*) noexcept {
    library& l = process();
    void* const state = ::pthread_getspecific(l.key);
    if (state != nullptr) {
        ::pthread_setspecific(l.key, nullptr);
    }
    return state;
}

void give(void*, void* state) noexcept {
    library& l = process();
    if (state == nullptr && l.has_spare.load(std::memory_order_relaxed)) {
        state = take_spare(l);
    }
    if (state != nullptr) {
        ::pthread_setspecific(l.key, state);
    }
}

void drop(void*, void* state) noexcept {
    library& l = process();
    ::pthread_setspecific(l.key, state);
    l.call.clear_error();
    ::pthread_setspecific(l.key, nullptr);
    const std::unique_lock lock(l.mutex, std::try_to_lock);
    if (!lock.owns_lock()) {
        return; // it is lost
    }
    try {
        l.spare.push_back(state);
        l.has_spare.store(true, std::memory_order_relaxed);
    } catch (const std::bad_alloc&) { // likewise
    }
}

found look_in_process(library& l) noexcept {
    const std::unique_lock lock(l.mutex, std::try_to_lock);
    if (!lock.owns_lock()) {
        return found::no; // the next look will tell
    }
    found what = l.what.load(std::memory_order_relaxed);
    if (what == found::no) {
        const unsigned long long loads = loads_so_far();
        if (loads == l.loads) {
            return what;
        }
        l.loads = loads;
        what = find(l.call) ? found::unused : found::no;
    }
    if (what == found::unused && !is_unused(l.call)) {
        what = find_key(l) ? found::yes : found::unknown;
    }
    l.what.store(what, std::memory_order_release);
    return what;
}

} // namespace

found look(hub_core& hub) {
    library& l = process();
    found what = l.what.load(std::memory_order_acquire);
    if (what == found::no || what == found::unused) {
        const foreign_call_guard guard;
        what = look_in_process(l);
    }
    awaited = what == found::unused;
    if (what == found::yes) {
        hub.keep_per_fiber({&take, &give, &drop, nullptr});
    }
    return what;
}

} // namespace tendril::detail::openssl
