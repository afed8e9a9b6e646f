// SPDX-License-Identifier: BSL-1.0
#include "process/wait.hpp"

#include "io/operation.hpp"
#include "process/child_watch.hpp"
#include "process/pidfd.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace tendril::detail::process {

namespace {

using std::chrono::milliseconds;

/// A debugger's waits report stops too, which its fd does not tell. Who traces a child, or is going
/// to (PTRACE_TRACEME is called in the child), only /proc knows.
bool is_traced(pid_t child) noexcept {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/status", static_cast<int>(child));
    const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    std::array<char, 1024> text{};
    const ssize_t n = sys::real.read(fd, text.data(), text.size());
    sys::real.close(fd);
    const std::string_view status(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    constexpr std::string_view key = "TracerPid:\t";
    const std::size_t at = status.find(key);
    return at != status.npos && status.substr(at + key.size(), 1) != "0";
}

/// What a call waits for, and how.
class child_wait {
public:
    child_wait(io::hub_io& io, const selection& of, const wait_reason& why, io::options& o) noexcept
        : io_(io)
        , of_(of)
        , why_(why)
        , options_(o)
        , asks_fd_(of.type == P_PID && (of.options & ~WNOWAIT) == WEXITED) {
        if (o.as_program) {
            why_.by_signals = interruption::unless_restarted;
        }
        why_.cancellable = o.cancellable;
    }

    /// Nothing on this hub is kept from running when the thread blocks.
    bool may_block() noexcept {
        return !asks_fd_ && of_.type != P_PIDFD && options_.deadline == never &&
               io_.hub().has_nothing_else();
    }

    /// Parks until the system call may have an answer: 0, or -errno.
    int wait() noexcept {
        why_.since = options_.begun = options_.begun != 0 ? options_.begun : io_.hub().switches();
        if (io_.hub().is_interrupted(why_)) {
            return -EINTR;
        }
        if (of_.type == P_PIDFD && !given_up_fd_) {
            return until_ready();
        }
        if (asks_fd_) {
            const auto child = static_cast<pid_t>(of_.id);
            pidfd fd(is_traced(child) ? 0 : child);
            if (fd.valid()) {
                return until_end(fd);
            }
            asks_fd_ = false;
            return 0;
        }
        options_.waited = true;
        return wait_for_change(io_.hub(), of_, why_, options_.deadline);
    }

private:
    /// The program's own pidfd tells of the end; of a stop, or what a tracer keeps, the kernel is
    /// asked.
    int until_ready() noexcept {
        const int fd = static_cast<int>(of_.id);
        if ((sys::real.fcntl(fd, F_GETFL) & O_NONBLOCK) != 0) {
            return -EAGAIN; // waitid(2): PIDFD_NONBLOCK
        }
        given_up_fd_ = true;
        if ((of_.options & ~WNOWAIT) != WEXITED) {
            return 0;
        }
        options_.waited = true;
        return wait_for_end(io_, fd, why_, options_.deadline);
    }

    int until_end(pidfd& fd) noexcept {
        const time_point look = io_.hub().now() + patience_;
        patience_ = std::min(2 * patience_, milliseconds(1000));
        options_.waited = true;
        const int end = fd.wait(io_, why_, std::min(look, options_.deadline));
        if (end == -ETIMEDOUT && look < options_.deadline) {
            return 0;
        }
        // Ended, and yet the call may have no answer: as long as somebody else traces it.
        asks_fd_ = false;
        return end == -EBADF ? 0 : end;
    }

    io::hub_io& io_;
    const selection& of_;
    wait_reason why_;
    io::options& options_;
    bool given_up_fd_ = false; ///< the program's has told what it can
    bool asks_fd_;             ///< only the end of one child is wanted
    milliseconds patience_{20};
};

/// `call(WNOHANG)` and `call(0)` are the system call; 0: nothing yet.
template <typename Call>
int wait_for(Call call, const selection& of, const wait_reason& why, io::options& o) noexcept {
    int error = 0;
    io::hub_io* const io = io::this_hub(error);
    if (io == nullptr) {
        return -error;
    }
    child_wait children(*io, of, why, o);
    int result = call(WNOHANG);
    while (result == 0) {
        if (children.may_block()) {
            return call(0);
        }
        const int end = children.wait();
        result = call(WNOHANG);
        if (result == 0 && end < 0) {
            return end;
        }
    }
    if (!o.waited) {
        io->hub().charge();
    }
    return result;
}

selection selected(pid_t pid, int flags) noexcept {
    // What wait4 calls WUNTRACED is WSTOPPED to waitid.
    const int options = flags | WEXITED;
    if (pid > 0) {
        return {P_PID, static_cast<id_t>(pid), options};
    }
    if (pid == -1) {
        return {P_ALL, 0, options};
    }
    return {P_PGID, static_cast<id_t>(pid == 0 ? ::getpgrp() : -pid), options};
}

/// Who only looks, again and again, must not keep others from running.
void charge() noexcept {
    int error = 0;
    if (io::hub_io* const io = io::this_hub(error)) {
        io->hub().charge();
    }
}

} // namespace

int wait4(pid_t pid, int* status, int flags, rusage* usage, io::options& o) noexcept {
    const auto call = [&](int also) {
        return io::result_of(sys::real.wait4(pid, status, flags | also, usage));
    };
    // Only the calling thread's own children: no other thread can ask for them.
    if ((flags & (WNOHANG | __WNOTHREAD)) != 0) {
        charge();
        return call(0);
    }
    return wait_for(call, selected(pid, flags), {wait_kind::other, "waitpid ", pid}, o);
}

int waitid(idtype_t type, id_t id, siginfo_t* info, int flags, io::options& o) noexcept {
    siginfo_t found;
    siginfo_t& out = info != nullptr ? *info : found;
    const auto call = [&](int also) {
        const int result = io::result_of(sys::real.waitid(type, id, &out, flags | also));
        return result == 0 && out.si_pid != 0 ? 1 : result;
    };
    if ((flags & (WNOHANG | __WNOTHREAD)) != 0) {
        charge();
        return std::min(call(0), 0);
    }
    const wait_reason why = {wait_kind::other, "waitid ", static_cast<std::int64_t>(id)};
    return std::min(wait_for(call, {type, id, flags}, why, o), 0);
}

} // namespace tendril::detail::process
