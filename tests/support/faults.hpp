// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <dlfcn.h>
#include <execinfo.h>
#include <iterator>

/// Makes the n-th allocation or system call of a program fail. What can fail is defined by
/// fault_allocations.hpp and fault_system_calls.hpp, which replace libc's functions in the program
/// that includes them.
namespace tendril::test::faults {

enum class kind { none, allocation, system_call };

/// Which call fails, counted from the moment it is armed.
struct plan {
    kind what = kind::none;
    unsigned long at = 0;
    unsigned variant = 0; ///< which of the errors that the call may have
    bool onwards = false; ///< all that follow fail too
};

namespace inside {

inline constinit plan current;
inline constinit std::atomic<bool> armed{false};
inline constinit std::atomic<unsigned long> calls{0};
inline constinit std::atomic<bool> hit{false};
inline constinit std::atomic<unsigned> variants{1};
inline constinit std::atomic<const char*> name{""};
inline constinit std::atomic<long> live_blocks{0};
inline constinit void* frames[24];
inline constinit std::atomic<int> frame_count{0};
inline thread_local constinit int exempt = 0;

} // namespace inside

/// What this thread does meanwhile, and the threads that it makes, never fails and is not counted.
class exempt_scope {
public:
    exempt_scope() noexcept { ++inside::exempt; }
    ~exempt_scope() { --inside::exempt; }
    exempt_scope(const exempt_scope&) = delete;
    exempt_scope& operator=(const exempt_scope&) = delete;
};

inline void arm(const plan& p) noexcept {
    inside::current = p;
    inside::calls = 0;
    inside::hit = false;
    inside::variants = 1;
    inside::armed = p.what != kind::none;
}

inline void disarm() noexcept {
    inside::armed = false;
}

inline bool was_hit() noexcept {
    return inside::hit;
}
/// How many errors the call that failed can have.
inline unsigned variants() noexcept {
    return inside::variants;
}
inline const char* hit_name() noexcept {
    return inside::name;
}
/// Allocated and not freed since the program began, by threads that are not exempt.
inline long live_blocks() noexcept {
    return inside::live_blocks;
}

/// Who called what failed, as far as can be told.
inline void print_hit(int fd) noexcept {
    const exempt_scope scope;
    ::backtrace_symbols_fd(inside::frames, inside::frame_count, fd);
}

/// For the functions that may fail: is it this call's turn?
inline bool due(kind what, const char* name) noexcept {
    using namespace inside;
    if (!armed.load(std::memory_order_acquire) || exempt != 0 || current.what != what) {
        return false;
    }
    const unsigned long n = calls.fetch_add(1, std::memory_order_relaxed);
    if (n != current.at && !(current.onwards && n > current.at)) {
        return false;
    }
    if (!hit.exchange(true)) {
        const exempt_scope scope;
        inside::name = name;
        frame_count = ::backtrace(frames, static_cast<int>(std::size(frames)));
    }
    return true;
}

/// The errno that a system call is to fail with now; 0: none.
template <std::size_t Count>
int error_due(const char* name, const int (&errors)[Count]) noexcept {
    if (!due(kind::system_call, name)) {
        return 0;
    }
    inside::variants = Count;
    return errors[inside::current.variant % Count];
}

/// The function that is replaced.
template <typename Function>
Function* replaced(const char* name) noexcept {
    const exempt_scope scope;
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace tendril::test::faults
