// SPDX-License-Identifier: BSL-1.0
#include "fiber/overflow.hpp"

#include "fiber/stack_memory.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <execinfo.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace tendril::detail {
namespace {

std::atomic<overflow_describer> describe_running{nullptr};

/// Who handled the signal before us.
struct earlier_handlers {
    struct sigaction segv;
    struct sigaction bus;

    struct sigaction& of(int signal) noexcept {
        return signal == SIGBUS ? bus : segv;
    }
};
constinit earlier_handlers earlier{};

thread_local constinit void* own_signal_stack [[gnu::tls_model("initial-exec")]] = nullptr;

constexpr int most_frames = 48;

// ------------------------------------------------------------------------------------- the report

/// Text put together without allocation; what does not fit is left out.
class line {
public:
    line& operator<<(const char* text) noexcept {
        while (*text != 0 && length_ < sizeof text_) {
            text_[length_++] = *text++;
        }
        return *this;
    }

    line& operator<<(std::uint64_t number) noexcept {
        char digits[21];
        char* first = digits + sizeof digits - 1;
        *first = 0;
        do {
            *--first = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        return *this << first;
    }

    void write() const noexcept {
        // A failure has nowhere to be told.
        [[maybe_unused]] const ssize_t written = sys::real.write(STDERR_FILENO, text_, length_);
    }

private:
    char text_[512];
    std::size_t length_ = 0;
};

running_fiber describe() noexcept {
    const overflow_describer f = describe_running.load(std::memory_order_acquire);
    return f != nullptr ? f() : running_fiber{};
}

/// Where the signal interrupted the program; null where we don't know how to tell.
void* interrupted_at(const void* machine) noexcept {
    [[maybe_unused]] const auto& state = static_cast<const ucontext_t*>(machine)->uc_mcontext;
#if defined(__x86_64__)
    return reinterpret_cast<void*>(state.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return reinterpret_cast<void*>(state.pc);
#else
    return nullptr;
#endif
}

/// From the interrupted function outwards. Whoever recurses shows in a few frames.
void print_backtrace(const void* machine) noexcept {
    void* frames[most_frames];
    void** end = frames + ::backtrace(frames, most_frames);
    void** first = std::find(frames, end, interrupted_at(machine));
    first = first != end ? first : frames;
    ::backtrace_symbols_fd(first, static_cast<int>(end - first), STDERR_FILENO);
}

// ------------------------------------------------------------------------------------ the handler

bool in_guard(const stack& s, const void* address) noexcept {
    const auto* at = static_cast<const std::byte*>(address);
    return s.guarded && at >= s.base && at < s.base + guard_bytes();
}

/// With the default action set, the handler's return does the rest: a fault happens again, in its
/// original place, which is what a core dump should show. A signal that was sent has to be sent
/// again.
void die_by_default(int signal, bool fault) noexcept {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sys::real.sigaction(signal, &action, nullptr);
    if (!fault) {
        ::raise(signal);
    }
}

void call_earlier(int signal, siginfo_t* info, void* machine) noexcept {
    struct sigaction& action = earlier.of(signal);
    const bool fault = info->si_code > 0;
    if ((action.sa_flags & SA_SIGINFO) == 0) {
        if (action.sa_handler == SIG_IGN && !fault) {
            return;
        }
        // An ignored fault ends the process too, or it would repeat forever (sigaction(2)).
        if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
            die_by_default(signal, fault);
            return;
        }
    }
    const struct sigaction called = action;
    if ((static_cast<unsigned>(called.sa_flags) & SA_RESETHAND) != 0) {
        action = {};
        action.sa_handler = SIG_DFL;
    }
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &called.sa_mask, &before);
    if ((called.sa_flags & SA_NODEFER) != 0) {
        sigset_t self;
        sigemptyset(&self);
        sigaddset(&self, signal);
        ::pthread_sigmask(SIG_UNBLOCK, &self, nullptr);
    }
    if ((called.sa_flags & SA_SIGINFO) != 0) {
        called.sa_sigaction(signal, info, machine);
    } else {
        called.sa_handler(signal);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void on_fault(int signal, siginfo_t* info, void* machine) {
    const int saved_error = errno;
    const running_fiber running = describe();
    if (info->si_code > 0 && running.stk != nullptr && in_guard(*running.stk, info->si_addr)) {
        // A second fault on the way, in the unwinder say, must not come back here.
        die_by_default(signal, true);
        report_overflow(*running.stk);
        print_backtrace(machine);
    } else {
        call_earlier(signal, info, machine);
    }
    errno = saved_error;
}

void install(int signal) noexcept {
    struct sigaction action {};
    action.sa_sigaction = &on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    // Known before ours can run.
    sys::real.sigaction(signal, nullptr, &earlier.of(signal));
    sys::real.sigaction(signal, &action, nullptr);
}

/// The first call of backtrace() loads libgcc_s, which allocates and locks (backtrace(3)).
void warm_up_backtrace() noexcept {
    void* frame = nullptr;
    ::backtrace(&frame, 1);
}

std::size_t signal_stack_size() noexcept {
    long least = -1;
#ifdef _SC_SIGSTKSZ
    least = ::sysconf(_SC_SIGSTKSZ);
#endif
    // The unwinder needs some, and the program's own handlers run here too.
    const std::size_t size =
        std::max(static_cast<std::size_t>(std::max(least, 0L)), std::size_t{64} << 10);
    return (size + page_size() - 1) / page_size() * page_size();
}

} // namespace

void report_overflow(const stack& s) noexcept {
    const running_fiber running = describe();
    line text;
    text << "tendril: ";
    if (running.stk == &s) {
        text << "fiber #" << running.id;
        if (running.name[0] != 0) {
            text << " \"" << running.name << "\"";
        }
    } else {
        text << "a fiber";
    }
    text << " overflowed its " << (s.size >> 10) << " KiB stack\n";
    text.write();
}

void install_overflow_handler(overflow_describer describe) noexcept {
    overflow_describer none = nullptr;
    if (!describe_running.compare_exchange_strong(none, describe)) {
        return;
    }
    warm_up_backtrace();
    for (const int signal : {SIGSEGV, SIGBUS}) {
        install(signal);
    }
}

void show_earlier_handler(int signal, struct sigaction& action) noexcept {
    if (action.sa_sigaction == &on_fault) {
        action = earlier.of(signal);
    }
}

void watch_for_overflow_again(int signal) noexcept {
    if (describe_running.load(std::memory_order_acquire) != nullptr) {
        install(signal);
    }
}

bool prepare_thread_signal_stack() noexcept {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) {
        return true;
    }
    const std::size_t size = signal_stack_size();
    const std::size_t guard = page_size();
    void* memory = stack_memory.map(nullptr, guard + size, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    stack_memory.protect(memory, guard, PROT_NONE); // without it, as good as any thread's stack
    stack_t ours{};
    ours.ss_sp = static_cast<std::byte*>(memory) + guard;
    ours.ss_size = size;
    if (::sigaltstack(&ours, nullptr) != 0) {
        stack_memory.unmap(memory, guard + size);
        return false;
    }
    own_signal_stack = ours.ss_sp;
    return true;
}

void release_thread_signal_stack() noexcept {
    if (own_signal_stack == nullptr) {
        return;
    }
    stack_t present{};
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    // The program may have put its own in place since, or saved ours to restore it later.
    if (::sigaltstack(nullptr, &present) == 0 && present.ss_sp == own_signal_stack &&
        ::sigaltstack(&none, nullptr) == 0) {
        const std::size_t guard = page_size();
        stack_memory.unmap(static_cast<std::byte*>(own_signal_stack) - guard,
                           guard + present.ss_size);
    }
    own_signal_stack = nullptr;
}

} // namespace tendril::detail
