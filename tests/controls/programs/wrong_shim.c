// SPDX-License-Identifier: BSL-1.0
// Preloaded before the shim, it makes of it a shim that is wrong in the way that CONTROL names; in
// no way if it names none of these.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
// The shim's.
#define RIGHT(name)                                                                                \
    ({                                                                                             \
        static __typeof__(&(name)) right_;                                                         \
        if (right_ == NULL)                                                                        \
            *(void**)&right_ = dlsym(RTLD_NEXT, #name);                                            \
        right_;                                                                                    \
    })

static int wrong(const char* way) {
    static const char* control;
    if (control == NULL)
        control = getenv("CONTROL") != NULL ? getenv("CONTROL") : "";
    return strcmp(control, way) == 0;
}

// What is wrong after any call: returns the result.
static long spoilt(int fd, long result) {
    if (wrong("nonblock-leaked")) {
        int saved = errno;
        long flags = syscall(SYS_fcntl, fd, F_GETFL);
        if (flags >= 0)
            syscall(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
        errno = saved;
    }
    if (wrong("errno-clobbered") && result >= 0)
        errno = EAGAIN;
    return result;
}

EXPORTED ssize_t read(int fd, void* buffer, size_t size) {
    if (wrong("hub-blocks"))
        return syscall(SYS_read, fd, buffer, size);
    ssize_t n;
    do
        n = RIGHT(read)(fd, buffer, size);
    while (n < 0 && errno == EINTR && wrong("eintr-swallowed"));
    return spoilt(fd, n);
}

EXPORTED int usleep(useconds_t microseconds) {
    const struct timespec t = {microseconds / 1000000, microseconds % 1000000 * 1000L};
    if (wrong("hub-blocks"))
        return (int)syscall(SYS_nanosleep, &t, NULL);
    int result;
    do
        result = RIGHT(usleep)(microseconds);
    while (result < 0 && errno == EINTR && wrong("eintr-swallowed"));
    return result;
}

EXPORTED int close(int fd) {
    static int calls;
    if (wrong("close-wakes-nobody"))
        return (int)syscall(SYS_close, fd);
    if (wrong("every-20th-close-lost") && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 20 == 0)
        return 0;
    return RIGHT(close)(fd);
}

EXPORTED int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints,
                         struct addrinfo** list) {
    static int busy;
    if (!wrong("getaddrinfo-serialised"))
        return RIGHT(getaddrinfo)(node, service, hints, list);
    while (busy)
        sched_yield();
    busy = 1;
    int code = RIGHT(getaddrinfo)(node, service, hints, list);
    busy = 0;
    return code;
}

// The C++ runtime has the thread's; who else asks is told of others, which nobody uses.
static int is_cxx_runtime(const void* address) {
    Dl_info found;
    return dladdr(address, &found) != 0 && strstr(found.dli_fname, "libstdc++") != NULL;
}

EXPORTED void* __cxa_get_globals(void);
EXPORTED void* __cxa_get_globals(void) {
    static _Thread_local long unused[2];
    static void* (*right)(void);
    if (right == NULL) {
        // In a program in C it came with libtendril.
        void* runtime = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_NOLOAD);
        *(void**)&right = dlsym(runtime, "__cxa_get_globals");
    }
    const int spoil =
        wrong("one-set-of-exceptions") && !is_cxx_runtime(__builtin_return_address(0));
    return spoil ? unused : right();
}
