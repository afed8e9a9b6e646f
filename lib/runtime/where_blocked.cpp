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

/// Where an object is loaded that has this address in it, or null.
const void* object_of(const void* address, const char** function = nullptr) noexcept {
    Dl_info found{};
    if (::dladdr(address, &found) == 0) {
        return nullptr;
    }
    if (function != nullptr) {
        *function = found.dli_sname;
    }
    return found.dli_fbase;
}

bool is_shim(const void* address) noexcept {
    Dl_info found{};
    return ::dladdr(address, &found) != 0 && found.dli_fname != nullptr &&
           std::strstr(found.dli_fname, "libtendril_shim") != nullptr;
}

/// Of libtendril.so; null where the library is a part of the program.
const void* own_object() noexcept {
    Dl_info found{};
    const bool is_library = ::dladdr(reinterpret_cast<const void*>(&object_of), &found) != 0 &&
                            found.dli_fname != nullptr &&
                            std::strstr(found.dli_fname, "libtendril.so") != nullptr;
    return is_library ? found.dli_fbase : nullptr;
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
    Dl_info found{};
    std::array<char, 32> offset{};
    if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr) {
        std::snprintf(offset.data(), offset.size(), "%p", static_cast<const void*>(address));
        return offset.data();
    }
    const char* const slash = std::strrchr(found.dli_fname, '/');
    std::snprintf(offset.data(), offset.size(), "+%#lx",
                  static_cast<unsigned long>(address - static_cast<const char*>(found.dli_fbase)));
    const std::string place =
        (slash != nullptr ? slash + 1 : found.dli_fname) + std::string(offset.data());
    if (found.dli_sname == nullptr) {
        return place;
    }
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> readable(
        abi::__cxa_demangle(found.dli_sname, nullptr, nullptr, &status), std::free);
    return (status == 0 && readable != nullptr ? readable.get() : found.dli_sname) +
           (" (" + place + ')');
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
    const void* const libc = object_of(reinterpret_cast<const void*>(sys::real.clock_nanosleep));
    const void* const own = own_object();
    const char* function = nullptr;
    sys::stack_walk walk(pc, sp);
    for (int i = 0; i < frames_at_most; ++i) {
        const void* const at = pointer(walk.pc() - (i == 0 ? 0 : 1));
        const char* name = nullptr;
        const void* const object = object_of(at, &name);
        if (own != nullptr && object == own) {
            result.what = where_blocked::in_library;
            return result;
        }
        if (object == nullptr || (object != libc && !is_shim(at))) {
            result.site = pointer(walk.pc());
            result.text += (function != nullptr ? std::string(", from ") + function : "") +
                           ", called at " + describe_code(pointer(walk.pc() + (i == 0 ? 1 : 0)));
            return result;
        }
        function = object == libc && name != nullptr ? name : function;
        if (!walk.next()) {
            break;
        }
    }
    result.text += function != nullptr ? std::string(", in ") + function : "";
    return result;
}

} // namespace tendril::detail
