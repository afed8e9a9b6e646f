#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Programs do the same with the shim as without it, engaged or not, however it came to them."""

import functools
import itertools
import unittest

import programs

# Which calls of each the hub must have served when it was engaged, and how many: a shim that does
# nothing would pass every comparison. On a busy machine some need not wait.
PROGRAMS = {
    "bytes.c": {"read": 1, "recv": 1, "eventfd_read": 1},
    "connections.c": {"accept": 1},
    "descriptors.c": {"recv": 5, "poll": 5, "usleep": 5},
    "flags.c": {"write": 1, "connect": 1},
    "refused.c": {"accept": 1},
    "sleeps.c": {"sleep": 1, "usleep": 1, "nanosleep": 1, "clock_nanosleep": 8, "thrd_sleep": 1,
                 "poll": 1, "ppoll": 1, "select": 1, "pselect": 1},
    "readiness.c": {"poll": 20, "ppoll": 20, "select": 20, "pselect": 20, "epoll_wait": 2,
                    "epoll_pwait": 1, "epoll_pwait2": 2},
    "epolls.c": {"epoll_wait": 5},
    "names.c": {},
    # While nothing else runs on the thread, most of these may block it.
    "children.c": {"waitpid": 1, "system": 1, "pclose": 1},
    "files.c": {},
    "interruptions.c": {"read": 2, "recv": 2, "waitpid": 1, "poll": 2, "epoll_wait": 1, "nanosleep": 1,
                        "pause": 1, "sigsuspend": 1, "sigwaitinfo": 1, "sigtimedwait": 1},
    "limits.c": {"fallocate": 1, "splice": 1},
    "queues.c": {"splice": 2, "tee": 1, "copy_file_range": 1, "mq_receive": 1, "mq_timedreceive": 1,
                 "mq_send": 1, "mq_timedsend": 1, "msgrcv": 1, "semop": 1, "semtimedop": 1, "fallocate": 1,
                 "posix_fallocate": 1, "sync_file_range": 1, "msync": 1, "aio_suspend": 1, "tcsendbreak": 1,
                 "__xpg_sigpause": 1},
    "services.c": {"getpwnam": 1, "getpwuid_r": 1, "getgrgid": 1, "getgrouplist": 1, "getservbyname": 1,
                   "getprotobyname": 1, "getnetbyname": 1},
    "signals.c": {},
    "storm.c": {"read": 1, "readv": 1, "write": 1, "writev": 1, "poll": 1},
    "urgent.c": {"poll": 1},
    "tables.c": {"fsync": 1},
    "timeouts.c": {"read": 5, "readv": 5, "preadv2": 5, "recv": 40, "recvfrom": 5, "recvmsg": 5,
                   "recvmmsg": 8, "accept": 2, "accept4": 2, "connect": 4},
    "sending.c": {"write": 3, "writev": 2, "send": 5, "sendto": 2, "sendmsg": 2, "sendmmsg": 4},
    "terminals.c": {"read": 2, "readv": 1, "write": 1},
    "vfork.c": {"recv": 1, "poll": 3},
    "streams.c": {"getc": 3, "fread": 2, "getdelim": 2, "fread_unlocked": 1, "__isoc99_vfscanf": 3,
                  "getwc": 1},
}

# These go through all that calls may do when they wait; how they are called matters elsewhere.
LONG = ("epolls.c", "flags.c", "interruptions.c", "limits.c", "queues.c", "sending.c", "services.c", "storm.c",
        "tables.c", "terminals.c", "timeouts.c")
SHORT = [source for source in PROGRAMS if source not in LONG]


def not_late(output, expected):
    """A busy machine may make any call take longer; to have waited too little is what is wrong."""
    pairs = itertools.zip_longest(output.splitlines(True), expected.splitlines(True), fillvalue="")
    return "".join(want if want.endswith("waited 0\n") and got == want[:-2] + "1\n" else got
                   for got, want in pairs)


class Transparency(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workshop = programs.Workshop()
        cls.addClassCleanup(cls.workshop.close)
        cls.arguments = [cls.workshop.file("scratch")]

    def compiled(self, source, variant="fortified", libraries=()):
        return self.workshop.compile(source, programs.VARIANTS[variant], libraries)

    @functools.lru_cache(maxsize=None)
    def expected(self, source):
        """What libc alone does. How the program was compiled makes no difference to it."""
        return programs.run(self.compiled(source), *self.arguments)[0]

    def check_idle(self, source, program, **environment):
        output, errors = programs.run(program, *self.arguments, **environment)
        self.assertEqual((not_late(output, self.expected(source)), errors), (self.expected(source), ""))

    def check_engaged(self, source, program, **environment):
        statistics = self.workshop.file("statistics.json")
        self.check_idle(source, program, TENDRIL_ENGAGE="main", TENDRIL_STATS=statistics, **environment)
        functions = self.workshop.statistics()["functions"]
        for function, least in PROGRAMS[source].items():
            served = functions[function]["waited"] + functions[function]["at_once"]
            self.assertGreaterEqual(served, least, function)

    def test_preloaded(self):
        cases = [*itertools.product(SHORT, programs.VARIANTS), *((source, "fortified") for source in LONG)]
        for source, variant in cases:
            with self.subTest(program=source, variant=variant):
                self.expected(source)
                program = self.compiled(source, variant)
                self.check_idle(source, program, LD_PRELOAD=programs.SHIM)
                self.check_engaged(source, program, LD_PRELOAD=programs.SHIM)

    def test_linked(self):
        for source in SHORT:
            with self.subTest(program=source):
                self.expected(source)
                program = self.compiled(source, libraries=programs.LINKED)
                self.check_idle(source, program)
                self.check_engaged(source, program)

    def test_whole_archive(self):
        for source in SHORT:
            with self.subTest(program=source):
                self.expected(source)
                program = self.compiled(source, libraries=programs.WHOLE_ARCHIVE)
                self.check_idle(source, program)
                self.check_engaged(source, program, LD_LIBRARY_PATH=programs.LIBRARIES)

    def test_families_that_are_off_pass_through(self):
        program = self.workshop.compile("sleeps.c")
        statistics = self.workshop.file("statistics.json")
        programs.run(programs.TOOL, "run", "--shim=time,dns", f"--stats={statistics}", program)
        functions = self.workshop.statistics()["functions"]
        self.assertEqual(functions["poll"], {"waited": 0, "at_once": 0, "passed_through": 1})
        self.assertEqual(functions["sleep"]["passed_through"], 0)
        self.assertGreaterEqual(functions["sleep"]["waited"], 1)


if __name__ == "__main__":
    unittest.main()
