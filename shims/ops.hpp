// SPDX-License-Identifier: BSL-1.0
#pragma once

// What libtendril_shim and libtendril say to each other. Plain C: either may come from another
// compiler, and the shim links nothing but libc. Anything that changes here, or in symbols.def,
// changes tendril_shim_abi or the size of a table, and copies that differ refuse each other.

#include <aio.h>
#include <fcntl.h>
#include <grp.h>
#include <locale.h>
#include <mqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <resolv.h>
#include <sched.h>
#include <shadow.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* <resolv.h> of older glibc makes other names of these. */
#undef res_query
#undef res_search
#undef res_querydomain
#undef res_send
#undef res_nquery
#undef res_nsearch
#undef res_nquerydomain
#undef res_nsend

#ifdef __cplusplus
extern "C" {
static_assert(sizeof(long) == 8, "symbols.def takes read64 and read for the same");
#endif

typedef void* (*tendril_thread_start)(void*);

enum { tendril_shim_abi = 4 };

/* One function pointer per line of symbols.def. */
struct tendril_shim_ops {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    type(*name) parameters;
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    type(*name) parameters;
#include "shims/symbols.def"
};

enum tendril_shim_index {
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    tendril_shim_index_##name,
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    tendril_shim_index_##name,
#include "shims/symbols.def"
    tendril_shim_functions
};

/* What became of the calls of one function. Written by any thread, atomically. */
struct tendril_shim_counter {
    uint64_t waited;         /* in the hub */
    uint64_t at_once;        /* completed there without waiting */
    uint64_t passed_through; /* on a thread without a hub, or in a family that is off */
};

enum { tendril_shim_wait_kinds = 16 };

/* The hubs' share of TENDRIL_STATS, all threads added up. */
struct tendril_shim_numbers {
    uint64_t fibers;
    uint64_t switches;
    const char* wait_name[tendril_shim_wait_kinds]; /* null after the last one */
    uint64_t waits[tendril_shim_wait_kinds];
};

/* libtendril's side. */
struct tendril_shim_hub {
    uint32_t abi;
    uint32_t size; /* of tendril_shim_ops */
    const struct tendril_shim_ops* ops;
    /* Gives the calling thread a hub, which sets its slot. 0, or an errno. */
    int (*engage)(void);
    void (*numbers)(struct tendril_shim_numbers*);
    /* A signal handler begins on the calling thread; async-signal-safe. Not 0: it has SA_RESTART.
     */
    void (*signalled)(int restarts);
    /* Of SIGSEGV and SIGBUS, async-signal-safe. An action of the kernel's that is the library's
       handler becomes the one that was there before. */
    void (*show_earlier)(int number, struct sigaction* action);
    /* They have their default action again: the library's handler, if there was one, returns. */
    void (*watch_again)(int number);
};

/* The shim's side, filled by tendril_shim_attach_v1 whatever it returns (but EPROTO). */
struct tendril_shim_side {
    /* The calling thread's slot: which table its calls go to; null: straight to libc. */
    const struct tendril_shim_ops** (*slot)(void);
    /* What to put into the slot of a thread that has a hub: `ops` with the families that are on. */
    const struct tendril_shim_ops* active;
    /* What to put back when it has none any more. */
    const struct tendril_shim_ops* idle;
    /* libc's function of that name, or null if the shim does not replace it. */
    void* (*original)(const char* name);
    /* To be called when `original` is no longer needed: from then on calls may come, also from
       threads without a hub. */
    void (*publish)(void);
    /* By tendril_shim_index; null when nobody will read them. */
    struct tendril_shim_counter* counters;
    /* Not 0: calls of that name reach the shim, and its family is on. */
    int (*reaches)(const char* name);
};

/* Makes `hub` the one that calls go to. 0; EBUSY: another copy of libtendril is, and `side` lets
   the caller run beside it without being called; EPROTO: the two do not fit together. */
typedef int tendril_shim_attach(const struct tendril_shim_hub* hub, struct tendril_shim_side* side);

#define TENDRIL_SHIM_ATTACH "tendril_shim_attach_v1"

#ifdef __cplusplus
}
#endif
