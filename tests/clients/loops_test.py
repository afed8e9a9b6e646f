#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Event loops that nobody here wrote: several in fibers of one thread, each waiting in its own way beside
fibers that block and are their clients. They print what they print as threads without Tendril."""

import json
import os
import shlex
import subprocess
import tempfile
import unittest

import servers

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
SHIM = os.path.realpath(os.environ["TENDRIL_TEST_SHIM"])
LIBRARIES = os.path.dirname(SHIM)
TOOL = os.environ["TENDRIL_TEST_TOOL"]
BUILT_BY_CMAKE = os.path.exists(os.path.join(os.environ["TENDRIL_TEST_BUILD_DIR"], "CMakeCache.txt"))
LIMIT = 120


class Loops(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tendril-loops-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def compile(self, program, name, flags, libraries):
        out = os.path.join(self.folder, name)
        subprocess.run(["c++", "-std=c++17", "-O0", "-w", "-pthread", f"-I{SOURCE}/include", *flags,
                        os.path.join(SOURCE, "tests", "clients", "programs", program), "-o", out, *libraries],
                       check=True)
        return out

    def run_program(self, *command, **environment):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=LIMIT,
                              env=servers.clean_environment(**environment))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def check(self, program, header, package, waits, threads, arguments=((),)):
        servers.need("pkg-config", "c++")
        found = subprocess.run(["c++", "-x", "c++", "-fsyntax-only", "-include", header, "/dev/null"],
                               stderr=subprocess.DEVNULL)
        if found.returncode != 0:
            (self.fail if servers.REQUIRED else self.skipTest)(f"not installed: {header}")
        libraries = [] if package is None else shlex.split(subprocess.check_output(
            ["pkg-config", "--libs", package], text=True))
        as_threads = self.compile(program, "threads", [], libraries)
        as_fibers = self.compile(program, "fibers", ["-DFIBERS"],
                                 [f"-L{LIBRARIES}", "-Wl,--no-as-needed", "-ltendril_shim", "-ltendril",
                                  f"-Wl,-rpath,{LIBRARIES}", *libraries])
        statistics = os.path.join(self.folder, "statistics.json")
        for each in arguments:
            with self.subTest(arguments=each):
                expected = self.run_program(as_threads, *each)
                self.assertIn("bytes echoed", expected)
                self.assertEqual(self.run_program(as_threads, *each, LD_PRELOAD=SHIM), expected)
                self.assertEqual(self.run_program(TOOL, "run", "--engage=all", "--", as_threads, *each), expected)
                self.assertEqual(self.run_program(as_fibers, *each, TENDRIL_STATS=statistics), expected)
                with open(statistics) as file:
                    found = json.load(file)
                self.assertLessEqual(found["os_threads_max"], threads)
                waited = {name: calls["waited"] for name, calls in found["functions"].items()}
                for function in waits + ((each[0],) if each and each[0] != "epoll" else ()):
                    self.assertGreater(waited[function], 0, function)

    def test_libuv(self):
        # Its four workers.
        self.check("libuv_loop.cpp", "uv.h", "libuv", ("epoll_wait", "usleep"), threads=5)

    def test_libevent(self):
        self.check("libevent_loop.cpp", "event2/event.h", "libevent", ("usleep",), threads=1,
                   arguments=(("epoll",), ("poll",), ("select",)))

    def test_asio(self):
        # Its resolver.
        self.check("asio_loop.cpp", "asio.hpp", None, ("epoll_wait", "usleep"), threads=2)


def load_tests(loader, tests, pattern):
    """Meson's build has the same libraries: once is enough."""
    return tests if BUILT_BY_CMAKE else unittest.TestSuite()


if __name__ == "__main__":
    unittest.main(verbosity=2)
