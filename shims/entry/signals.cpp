// SPDX-License-Identifier: BSL-1.0
//
// Handlers are wrapped, so that the hub of the thread where one runs hears of it: the kernel knows
// nothing of fibers that wait there, so it ends none of their calls with EINTR. The program sees
// its own handlers only.
//
// The child of a vfork has the kernel's actions for itself and the tables in common with its
// parent: it reads them, for what it inherited, and its own handlers are not wrapped.

#include "shims/entry/shim.hpp"

#include <cerrno>
#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::shim {

namespace {

/// What the program installed; valid while the kernel's handler is on_signal.
struct action {
    std::atomic<void (*)(int, siginfo_t*, void*)> handler{nullptr};
    std::atomic<int> flags{0};
};
constinit action actions[NSIG];

/// siginterrupt's: what signal() installs does not restart calls. As libc's own set of these, a
/// vfork child and its parent have it in common.
constinit std::atomic<bool> interrupts[NSIG] = {};

/// It was raised by what the thread did, so the thread was not waiting.
bool is_fault(int number, const siginfo_t* info) noexcept {
    switch (number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
        return info->si_code > 0;
    default:
        return false;
    }
}

/// The thread's number as libc has it in memory, which forks and new threads set and vfork leaves,
/// against the kernel's. A number kept in here would have to be asked for as the process starts, by
/// programs that never need it. The clock's form is the kernel's (linux/posix-timers.h).
bool in_vfork_child() noexcept {
    const int saved = errno;
    clockid_t clock = 0;
    const bool is_child =
        pthread_getcpuclockid(pthread_self(), &clock) == 0 && syscall(SYS_gettid) != ~(clock >> 3);
    errno = saved;
    return is_child;
}

void on_signal(int number, siginfo_t* info, void* context) {
    const auto handler = actions[number].handler.load(std::memory_order_relaxed);
    const int flags = actions[number].flags.load(std::memory_order_relaxed);
    // First, because the handler may leave by a jump.
    if (const tendril_shim_hub* const hub = attached();
        hub != nullptr && !is_fault(number, info) && !in_vfork_child()) {
        const int saved = errno;
        hub->signalled((flags & SA_RESTART) != 0);
        errno = saved;
    }
    // One that takes the number alone does not see the others.
    handler(number, info, context);
}

bool wraps(int number) noexcept {
    return number > 0 && number < NSIG && (setting.families & family_signal) != 0;
}

bool is_function(const struct sigaction& a) noexcept {
    return a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN;
}

/// What libtendril handles too, to tell of fibers that overflow their stacks.
bool is_overflow(int number) noexcept {
    return number == SIGSEGV || number == SIGBUS;
}

sighandler_t install(int number, sighandler_t handler, int flags, bool masks_itself) noexcept {
    struct sigaction wanted = {};
    struct sigaction before = {};
    wanted.sa_handler = handler;
    wanted.sa_flags = flags;
    sigemptyset(&wanted.sa_mask);
    if (masks_itself && sigaddset(&wanted.sa_mask, number) != 0) {
        return SIG_ERR;
    }
    return here::sigaction(number, &wanted, &before) == 0 ? before.sa_handler : SIG_ERR;
}

} // namespace

namespace here {

int sigaction(int number, const struct sigaction* wanted, struct sigaction* before) noexcept {
    if (!wraps(number)) {
        return originals.sigaction(number, wanted, before);
    }
    action& a = actions[number];
    const auto old_handler = a.handler.load(std::memory_order_relaxed);
    const int old_flags = a.flags.load(std::memory_order_relaxed);
    struct sigaction kernels = {};
    if (wanted != nullptr) {
        kernels = *wanted;
        if (is_function(kernels) && !in_vfork_child()) {
            a.flags.store(kernels.sa_flags, std::memory_order_relaxed);
            a.handler.store(kernels.sa_sigaction, std::memory_order_relaxed);
            kernels.sa_sigaction = on_signal;
            kernels.sa_flags |= SA_SIGINFO;
        }
    }
    const int result = originals.sigaction(number, wanted != nullptr ? &kernels : nullptr, before);
    if (result != 0) {
        return result;
    }
    const tendril_shim_hub* const hub = is_overflow(number) ? attached() : nullptr;
    if (before != nullptr) {
        if (hub != nullptr) {
            hub->show_earlier(number, before);
        }
        const bool was_ours = before->sa_sigaction == on_signal;
        if (was_ours) {
            before->sa_sigaction = old_handler;
        }
        // SA_RESETHAND leaves the flags.
        if (was_ours || (before->sa_handler == SIG_DFL &&
                         (before->sa_flags & static_cast<int>(SA_RESETHAND)) != 0)) {
            before->sa_flags = (before->sa_flags & ~SA_SIGINFO) | (old_flags & SA_SIGINFO);
        }
    }
    if (hub != nullptr && wanted != nullptr && kernels.sa_handler == SIG_DFL && !in_vfork_child()) {
        hub->watch_again(number);
    }
    return result;
}

// signal(2): glibc gives it the semantics of BSD.
sighandler_t signal(int number, sighandler_t handler) noexcept {
    if (!wraps(number) || handler == SIG_ERR) {
        return originals.signal(number, handler);
    }
    return install(number, handler, interrupts[number] ? 0 : SA_RESTART, true);
}

// sysv_signal(3): once, unmasked, unrestarted.
sighandler_t sysv_signal(int number, sighandler_t handler) noexcept {
    if (!wraps(number) || handler == SIG_ERR) {
        return originals.sysv_signal(number, handler);
    }
    return install(number, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER), false);
}

int siginterrupt(int number, int interrupt) noexcept {
    struct sigaction present = {};
    if (!wraps(number)) {
        return originals.siginterrupt(number, interrupt);
    }
    if (here::sigaction(number, nullptr, &present) != 0) {
        return -1;
    }
    interrupts[number] = interrupt != 0;
    present.sa_flags =
        interrupt != 0 ? present.sa_flags & ~SA_RESTART : present.sa_flags | SA_RESTART;
    return here::sigaction(number, &present, nullptr);
}

// sigset(3)
sighandler_t sigset(int number, sighandler_t handler) noexcept {
    if (!wraps(number) || handler == SIG_ERR) {
        return originals.sigset(number, handler);
    }
    sigset_t self;
    sigset_t blocked;
    sigemptyset(&self);
    sigaddset(&self, number);
    struct sigaction before = {};
    if (handler == SIG_HOLD) {
        if (sigprocmask(SIG_BLOCK, &self, &blocked) != 0 ||
            here::sigaction(number, nullptr, &before) != 0) {
            return SIG_ERR;
        }
    } else {
        before.sa_handler = install(number, handler, 0, false);
        if (before.sa_handler == SIG_ERR || sigprocmask(SIG_UNBLOCK, &self, &blocked) != 0) {
            return SIG_ERR;
        }
    }
    return sigismember(&blocked, number) != 0 ? SIG_HOLD : before.sa_handler;
}

} // namespace here
} // namespace tendril::shim
