// SPDX-License-Identifier: BSL-1.0
#include "shims/entry/shim.hpp"

#include <tendril/version.hpp>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TENDRIL_QUOTED_(x) #x
#define TENDRIL_QUOTED(x) TENDRIL_QUOTED_(x)

namespace tendril::shim {

namespace {

constexpr char library_name[] = "libtendril.so." TENDRIL_QUOTED(TENDRIL_VERSION_MAJOR);

pthread_t main_thread;
std::atomic<long> process{0};

// The kernel's word: libc's getpid may be somebody's wrapper. Only ever called in a process that
// asked to be engaged.
long raw_pid() noexcept {
    return syscall(SYS_getpid);
}

void in_child() {
    main_thread = pthread_self();
    process = raw_pid();
}

bool engages_this_thread() noexcept {
    switch (setting.engage) {
    case engagement::none:
        return false;
    case engagement::main:
        return pthread_equal(main_thread, pthread_self()) != 0;
    case engagement::all:
        return true;
    }
    return false;
}

/// Beside the shim, where it is installed; else wherever the loader finds it.
void* load_library() noexcept {
    Dl_info self;
    if (dladdr(reinterpret_cast<void*>(&load_library), &self) != 0) {
        char path[PATH_MAX];
        const char* const slash = strrchr(self.dli_fname, '/');
        const int directory = slash != nullptr ? static_cast<int>(slash - self.dli_fname) : 1;
        const char* const from = slash != nullptr ? self.dli_fname : ".";
        const int n = snprintf(path, sizeof path, "%.*s/%s", directory, from, library_name);
        if (n > 0 && n < static_cast<int>(sizeof path) && access(path, R_OK) == 0) {
            return dlopen(path, RTLD_NOW | RTLD_NODELETE);
        }
    }
    return dlopen(library_name, RTLD_NOW | RTLD_NODELETE);
}

void report_once(const char* what, const char* why) noexcept {
    static std::atomic<bool> reported{false};
    if (!reported.exchange(true)) {
        dprintf(STDERR_FILENO, "tendril: %s: %s; calls pass through to libc\n", what, why);
    }
}

void engage() noexcept {
    if (attached() == nullptr && load_library() == nullptr) {
        const char* const why = dlerror();
        report_once("cannot load libtendril", why != nullptr ? why : "unknown error");
        return;
    }
    const tendril_shim_hub* const hub = attached();
    if (hub == nullptr) {
        report_once(library_name, "does not fit this shim");
        return;
    }
    const int error = hub->engage();
    if (error != 0) {
        report_once("cannot make a hub", strerror(error));
    }
}

} // namespace

void remember_process() noexcept {
    main_thread = pthread_self();
    process = raw_pid();
    pthread_atfork(nullptr, nullptr, in_child);
}

const ops_table& decide() noexcept {
    if (!started.load(std::memory_order_acquire)) {
        return originals;
    }
    const int saved = errno;
    if (setting.engage != engagement::none && raw_pid() != process.load()) {
        // A vfork child, on its parent's memory: whatever is decided here would be the parent's.
        errno = saved;
        return without_hub();
    }
    slot = idle; // what engaging calls passes through
    if (engages_this_thread()) {
        engage();
    }
    errno = saved;
    return slot != nullptr ? *slot : originals;
}

} // namespace tendril::shim
