// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

#include "process/wait.hpp"

#include <csignal>
#include <mutex>
#include <paths.h>
#include <unistd.h>
#include <utility>

namespace tendril::detail::shim::ops {

namespace {

/// What system(3) does to signals while the command runs: SIGINT and SIGQUIT are ignored in the
/// whole process until the last command has ended. SIGCHLD is blocked on the thread, as libc does,
/// but only if nothing else runs there: the mask is that of all its fibers.
class signals_of_command {
public:
    explicit signals_of_command(bool alone) noexcept
        : alone_(alone) {
        const std::lock_guard lock(mutex_);
        if (commands_++ == 0) {
            struct sigaction ignore = {};
            ignore.sa_handler = SIG_IGN;
            sys::real.sigaction(SIGINT, &ignore, &interrupt_);
            sys::real.sigaction(SIGQUIT, &ignore, &quit_);
        }
        sigset_t child;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        pthread_sigmask(SIG_BLOCK, alone_ ? &child : nullptr, &before_);
    }

    ~signals_of_command() {
        if (alone_) {
            pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        }
        const std::lock_guard lock(mutex_);
        if (--commands_ == 0) {
            restore();
        }
    }

    signals_of_command(const signals_of_command&) = delete;
    signals_of_command& operator=(const signals_of_command&) = delete;

    /// The command has them as they were.
    void restore_in(posix_spawnattr_t& attributes) noexcept {
        const std::lock_guard lock(mutex_);
        sigset_t to_default;
        sigemptyset(&to_default);
        if (interrupt_.sa_handler != SIG_IGN) {
            sigaddset(&to_default, SIGINT);
        }
        if (quit_.sa_handler != SIG_IGN) {
            sigaddset(&to_default, SIGQUIT);
        }
        posix_spawnattr_setsigdefault(&attributes, &to_default);
        posix_spawnattr_setsigmask(&attributes, &before_);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }

private:
    static void restore() noexcept {
        sys::real.sigaction(SIGINT, &interrupt_, nullptr);
        sys::real.sigaction(SIGQUIT, &quit_, nullptr);
    }

    /// In the child nobody waits for the commands of the parent's other fibers.
    [[gnu::constructor]] static void hear_of_forks() {
        pthread_atfork([] { mutex_.lock(); }, [] { mutex_.unlock(); },
                       [] {
                           if (std::exchange(commands_, 0) != 0) {
                               restore();
                           }
                           mutex_.unlock();
                       });
    }

    static inline constinit std::mutex mutex_;
    static inline int commands_ = 0;
    static inline struct sigaction interrupt_ = {};
    static inline struct sigaction quit_ = {};

    const bool alone_;
    sigset_t before_;
};

int spawn_shell(pid_t& pid, const char* command, signals_of_command& signals) noexcept {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    signals.restore_in(attributes);
    const char* const arguments[] = {"sh", "-c", command, nullptr};
    io::descriptions_shared();
    const int error = sys::real.posix_spawn(&pid, _PATH_BSHELL, nullptr, &attributes,
                                            const_cast<char* const*>(arguments), environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/// Its status, or -errno.
int run_command(hub_core& hub, const char* command, io::options& o) noexcept {
    signals_of_command signals(hub.has_nothing_else());
    pid_t pid = 0;
    if (const int error = spawn_shell(pid, command, signals); error != 0) {
        errno = error;
        return W_EXITCODE(127, 0); // POSIX: as if the shell had exited with 127
    }
    int status = -1;
    o.as_program = false; // signals do not end it
    const int result = process::wait4(pid, &status, 0, nullptr, o);
    if (result == -ECANCELED) {
        // As libc does for a thread that is cancelled here.
        kill(pid, SIGKILL);
        sys::real.wait4(pid, nullptr, 0, nullptr);
    }
    return result < 0 ? result : status;
}

} // namespace

pid_t wait4(pid_t pid, int* status, int flags, struct rusage* usage) noexcept {
    return call(
        tendril_shim_index_wait4,
        [&](hub_core&, io::options& o) { return process::wait4(pid, status, flags, usage, o); },
        [&] { return libc.wait4(pid, status, flags, usage); });
}

pid_t wait3(int* status, int flags, struct rusage* usage) noexcept {
    return call(
        tendril_shim_index_wait3,
        [&](hub_core&, io::options& o) { return process::wait4(-1, status, flags, usage, o); },
        [&] { return libc.wait3(status, flags, usage); });
}

pid_t waitpid(pid_t pid, int* status, int flags) noexcept {
    return call(
        tendril_shim_index_waitpid,
        [&](hub_core&, io::options& o) { return process::wait4(pid, status, flags, nullptr, o); },
        [&] { return libc.waitpid(pid, status, flags); });
}

pid_t wait(int* status) noexcept {
    return call(
        tendril_shim_index_wait,
        [&](hub_core&, io::options& o) { return process::wait4(-1, status, 0, nullptr, o); },
        [&] { return libc.wait(status); });
}

int waitid(idtype_t type, id_t id, siginfo_t* info, int flags) noexcept {
    return call(
        tendril_shim_index_waitid,
        [&](hub_core&, io::options& o) { return process::waitid(type, id, info, flags, o); },
        [&] { return libc.waitid(type, id, info, flags); });
}

int system(const char* command) noexcept {
    return call(
        tendril_shim_index_system,
        [&](hub_core& hub, io::options& o) {
            // Without a command: is there a shell?
            return command != nullptr ? run_command(hub, command, o)
                                      : run_command(hub, "exit 0", o) == 0;
        },
        [&] { return libc.system(command); });
}

// Gives the error as its result and leaves errno alone. It does not wait: until the child has
// called exec the kernel stops this thread alone, and that is soon.
int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const* argv,
                char* const* envp) noexcept {
    io::descriptions_shared();
    const auto original = [&] {
        return libc.posix_spawn(pid, path, actions, attributes, argv, envp);
    };
    return serve(
        tendril_shim_index_posix_spawn, [&](hub_core&, io::options&) { return original(); },
        original);
}

int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const* argv,
                 char* const* envp) noexcept {
    io::descriptions_shared();
    const auto original = [&] {
        return libc.posix_spawnp(pid, file, actions, attributes, argv, envp);
    };
    return serve(
        tendril_shim_index_posix_spawnp, [&](hub_core&, io::options&) { return original(); },
        original);
}

} // namespace tendril::detail::shim::ops
