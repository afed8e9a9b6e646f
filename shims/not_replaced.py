# SPDX-License-Identifier: BSL-1.0
"""What libtendril_shim leaves to libc, and why; shims/ledger.py writes it into docs/shims.md.

Per group: its title, and rows of names and reason. Names in `backquotes` that libc has must not be in
symbols.def; a test looks.
"""

NEVER_WAIT = "They never wait"
TOO_LITTLE = "They wait too little to be worth it"
THREADS = "They are the thread's or the process's"
SEQUENTIAL = "They are for programs that do nothing else meanwhile"
IMPOSSIBLE = "They cannot be replaced"

NOT_REPLACED = {
    NEVER_WAIT: [
        ("`eventfd` `timerfd_create` `signalfd` `inotify_init` `memfd_create` `epoll_create1` `epoll_ctl`",
         "An fd is looked at when a call first waits for it, whoever made it: these, systemd, a parent, SCM_RIGHTS."),
        ("`getsockopt`", "The kernel has the timeouts that the program set."),
        ("`freeaddrinfo` `gai_cancel` `gai_error`", "getaddrinfo's lists are made as libc makes them."),
        ("`aio_read` `aio_write` `aio_fsync` `aio_cancel` `mq_open` `mq_notify` `msgget` `semget` `semctl`",
         "They begin something, for which another call waits."),
        ("`res_init` `res_ninit` `res_mkquery` `dn_expand`", "They ask nobody. The options that a program sets in "
         "`_res`, which is the thread's, hold for the questions of its fibers."),
        ("`fork` `vfork` `daemon` `execve`", "Handlers of pthread_atfork see to the hub, which `daemon` calls too; its "
         "fds close with exec. The child of a vfork is known by its process id."),
        ("`__fdelt_chk`", "What FD_SET and FD_ISSET call with _FORTIFY_SOURCE: it compares a number with FD_SETSIZE."),
        ("`getifaddrs` `if_nameindex`", "The kernel answers them at once."),
        ("`getentropy` `arc4random`", "As getrandom, they wait in the first seconds after boot only."),
    ],
    TOO_LITTLE: [
        ("`stat` `access` `rename` `unlink` `mkdir` `link` `truncate` `ftruncate` `statfs` `chmod` `opendir` `readdir` "
         "`scandir` `glob` `nftw` `fts_read`",
         "`stat` takes 0.3 µs, and 8 to 11 µs on a worker thread, 3 to 4 µs when many do it at once; file systems "
         "say nothing beforehand. On one that asks a server, or for files of many GiB, give the call to a `thread_pool`."),
        ("`readahead` `posix_fadvise` `mlock` `madvise`", "They begin to read, or wait as any access to memory does."),
        ("`dlopen` `iconv_open` `tzset`", "They read small files of the system's. `dlopen` runs code that "
         "belongs to the calling thread."),
        ("`getpwent` `getgrent` `getservent` `gethostent` `getnetent` `getprotoent` `getspent`",
         "Their position is the process's: two flows that go through one list share it anyhow."),
        ("`getaliasbyname` `getrpcbyname` `getsgnam` `ether_hostton` `getpw`", "Local files, and hardly used."),
    ],
    THREADS: [
        ("`pthread_sigmask` `sigprocmask`", "The mask is the thread's, so all of its fibers have it."),
        ("`alarm` `setitimer` `timer_create`", "Their signals come to the thread, and end calls as any other."),
        ("`strtok` `localtime` `gmtime` `asctime` `ctime` `rand` `setlocale` `getopt` `ttyname` `getlogin` `ptsname` "
         "`ether_ntoa` `crypt` `tmpnam`",
         "What they keep is the process's, a hazard to threads as much. Between a call and its use nothing else runs "
         "unless the fiber waits there; else take the `_r` form."),
        ("`pthread_cancel` `pthread_exit`", "A thread that has a hub must not be cancelled while it waits there, nor exit "
         "within a fiber: that ends the process (std::terminate). Cancel fibers, and let threads return."),
        ("`dlerror`", "It is the thread's, but nobody waits between `dlopen` and it."),
        ("`setjmp` `longjmp` `makecontext` `swapcontext`", "Within one fiber they are as ever; from one into another, "
         "undefined, as between threads. A handler that ran while the thread waited in its hub must return: a jump out "
         "of it leaves the waiting call half done, so that the thread's later calls block it, and with other fibers "
         "there the process may crash."),
        ("`sigaltstack`", "The alternate stack is the thread's. A handler that runs on it (SA_ONSTACK) must not wait, for "
         "the next one would run over it; a program that asks before it sets one sees the hub's."),
        ("`__longjmp_chk`", "longjmp with _FORTIFY_SOURCE. It ends the program if it would go to a lower address than "
         "the stack pointer's, unless it is on the alternate signal stack: jumps within a fiber, and from "
         "handlers that ran in its own code, pass."),
    ],
    SEQUENTIAL: [
        ("`getpass` `rcmd` `rexec` `wordexp`", "They wait for people, other hosts and a shell."),
        ("`mount` `umount` `swapon` `reboot`", "They wait for disks and file servers."),
    ],
    IMPOSSIBLE: [
        ("`fwscanf` `wscanf` `vfwscanf` `vwscanf`", "libc alone turns bytes into wide characters, and what it looks at "
         "in vain goes back into the stream; that cannot be done from a copy. Take `fgetws` and `swscanf`."),
        ("`syscall`", "It is anything: see [porting.md](porting.md). libaio's `io_getevents` and liburing make their "
         "system calls without libc too; an eventfd that they notify parks."),
        ("`__res_context_query` `__res_context_search` `__res_context_send`",
         "libc's own modules call these, with structures that change from release to release (GLIBC_PRIVATE)."),
        ("`io_uring_enter(2)`", "libc has no function for it; see `syscall`."),
        ("`dlsym(handle, …)`", "With the handle of libc or another library it finds libc's function, which blocks the "
         "thread; with RTLD_DEFAULT and the program's handle the shim's, as from the program with RTLD_NEXT."),
        ("`dlopen(…, RTLD_DEEPBIND)`", "A library that is loaded so looks for libc's names in itself and its own "
         "dependencies first, among which is libc. `tendril audit` reports who asks for that."),
        ("Libraries that were linked with `-Bsymbolic`", "Their calls of functions that they define themselves, under "
         "libc's names, stay inside; calls of libc are as any other's. `tendril audit` reports them."),
        ("Prelinked libraries", "glibc 2.36 knows no prelink any more and binds them as all others; older loaders do so "
         "when the libraries are not those that prelink saw, as with the shim."),
        ("`kevent`", "Linux has none."),
    ],
}
