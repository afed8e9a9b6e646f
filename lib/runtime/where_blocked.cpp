// SPDX-License-Identifier: BSL-1.0
#include "runtime/where_blocked.hpp"

#include "sys/calls.hpp"
#include "sys/stack_walk.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <memory>
#include <sys/syscall.h>
#include <unistd.h>

namespace tendril::detail {

namespace {

constexpr int frames_at_most = 64;

struct system_call {
    long number;
    const char* name;
    bool takes_fd; ///< first
};
constexpr system_call known_calls[] = {
    {SYS_read, "read", true},
    {SYS_write, "write", true},
    {SYS_readv, "readv", true},
    {SYS_writev, "writev", true},
    {SYS_pread64, "pread64", true},
    {SYS_pwrite64, "pwrite64", true},
    {SYS_recvfrom, "recvfrom", true},
    {SYS_sendto, "sendto", true},
    {SYS_recvmsg, "recvmsg", true},
    {SYS_sendmsg, "sendmsg", true},
    {SYS_accept, "accept", true},
    {SYS_accept4, "accept4", true},
    {SYS_connect, "connect", true},
    {SYS_sendfile, "sendfile", false},
    {SYS_splice, "splice", true},
    {SYS_copy_file_range, "copy_file_range", true},
    {SYS_fsync, "fsync", true},
    {SYS_fdatasync, "fdatasync", true},
    {SYS_flock, "flock", true},
    {SYS_fcntl, "fcntl", true},
    {SYS_ioctl, "ioctl", true},
    {SYS_openat, "openat", false},
    {SYS_futex, "futex", false},
    {SYS_nanosleep, "nanosleep", false},
    {SYS_clock_nanosleep, "clock_nanosleep", false},
    {SYS_ppoll, "ppoll", false},
    {SYS_pselect6, "pselect6", false},
    {SYS_epoll_pwait, "epoll_pwait", true},
    {SYS_epoll_pwait2, "epoll_pwait2", true},
    {SYS_wait4, "wait4", false},
    {SYS_waitid, "waitid", false},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", false},
    {SYS_rt_sigsuspend, "rt_sigsuspend", false},
    {SYS_msgrcv, "msgrcv", false},
    {SYS_msgsnd, "msgsnd", false},
    {SYS_semop, "semop", false},
    {SYS_semtimedop, "semtimedop", false},
    {SYS_mq_timedreceive, "mq_timedreceive", true},
    {SYS_mq_timedsend, "mq_timedsend", true},
    {SYS_io_getevents, "io_getevents", false},
    {SYS_io_uring_enter, "io_uring_enter", true},
    {SYS_getrandom, "getrandom", false},
#ifdef SYS_poll // machines that came later lack them
    {SYS_poll, "poll", false},
    {SYS_select, "select", false},
    {SYS_pause, "pause", false},
    {SYS_epoll_wait, "epoll_wait", true},
    {SYS_open, "open", false},
#endif
};

std::string describe_call(long number, unsigned long first) {
    for (const system_call& c : known_calls) {
        if (c.number == number) {
            return c.takes_fd
                       ? std::string(c.name) + " fd " + std::to_string(static_cast<int>(first))
                       : c.name;
        }
    }
    return "system call " + std::to_string(number);
}

/// What is loaded at an address. The names are copies: the loader's own go with a dlclose of any
/// other thread.
struct place {
    const void* object = nullptr; ///< where it begins; null: nothing is there
    std::array<char, 256> file{};
    std::array<char, 512> function{}; ///< empty: none that the file exports

    explicit place(const void* address) noexcept {
        Dl_info found{};
        if (::dladdr(address, &found) != 0) {
            object = found.dli_fbase;
            sys::copy_text(file.data(), file.size(), found.dli_fname);
            sys::copy_text(function.data(), function.size(), found.dli_sname);
        }
    }
    bool is_of(const char* name) const noexcept {
        return std::strstr(file.data(), name) != nullptr;
    }
};

/// Of libtendril.so; null where the library is a part of the program.
const void* own_object() noexcept {
    const place own(reinterpret_cast<const void*>(&describe_code));
    return own.is_of("libtendril.so") ? own.object : nullptr;
}

const void* pointer(std::uintptr_t address) noexcept {
    return reinterpret_cast<const void*>(address);
}

} // namespace

bool can_see_threads(const char* probe) noexcept {
    char copy = 0;
    return sys::copy_memory(&copy, probe, 1) && copy == *probe;
}

std::string describe_code(const void* return_address) {
    const auto* const address = static_cast<const char*>(return_address) - 1; // still in the call
    const place found(address);
    std::array<char, 32> offset{};
    if (found.object == nullptr) {
        std::snprintf(offset.data(), offset.size(), "%p", static_cast<const void*>(address));
        return offset.data();
    }
    const char* const slash = std::strrchr(found.file.data(), '/');
    std::snprintf(offset.data(), offset.size(), "+%#lx",
                  static_cast<unsigned long>(address - static_cast<const char*>(found.object)));
    const std::string file =
        (slash != nullptr ? slash + 1 : found.file.data()) + std::string(offset.data());
    if (found.function[0] == 0) {
        return file;
    }
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> readable(
        abi::__cxa_demangle(found.function.data(), nullptr, nullptr, &status), std::free);
    return (status == 0 && readable != nullptr ? readable.get() : found.function.data()) +
           (" (" + file + ')');
}

where_blocked find_where_blocked(int state_fd) {
    std::array<char, 256> text{};
    where_blocked result;
    if (state_fd < 0 || ::syscall(SYS_pread64, state_fd, text.data(), text.size() - 1, 0L) <= 0) {
        return result;
    }
    long number = -1;
    unsigned long first = 0;
    unsigned long sp = 0;
    unsigned long pc = 0;
    if (std::sscanf(text.data(), "%ld %lx %*x %*x %*x %*x %*x %lx %lx", &number, &first, &sp,
                    &pc) != 4 ||
        number < 0) {
        return result; // "running", or in the kernel for a page
    }
    result.what = where_blocked::in_kernel;
    result.text = describe_call(number, first);
    result.site = pointer(pc);

    // libc's frames, and those of the shim, come before the one that called it.
    const void* const libc = place(reinterpret_cast<const void*>(sys::real.clock_nanosleep)).object;
    const void* const own = own_object();
    std::string function;
    sys::stack_walk walk(pc, sp);
    for (int i = 0; i < frames_at_most; ++i) {
        const place at(pointer(walk.pc() - (i == 0 ? 0 : 1)));
        if (own != nullptr && at.object == own) {
            result.what = where_blocked::in_library;
            return result;
        }
        if (at.object == nullptr || (at.object != libc && !at.is_of("libtendril_shim"))) {
            result.site = pointer(walk.pc());
            result.text += (function.empty() ? "" : ", from " + function) + ", called at " +
                           describe_code(pointer(walk.pc() + (i == 0 ? 1 : 0)));
            return result;
        }
        if (at.object == libc && at.function[0] != 0) {
            function = at.function.data();
        }
        if (!walk.next()) {
            break;
        }
    }
    result.text += function.empty() ? "" : ", in " + function;
    return result;
}

} // namespace tendril::detail
