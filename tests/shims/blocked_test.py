#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""TENDRIL_BLOCKED reports what keeps a thread from its hub: the call, the fiber, the call site."""

import os
import re
import unittest

import programs


@unittest.skipUnless(os.path.exists("/proc/self/syscall"), "this kernel does not tell of system calls")
class Blocked(unittest.TestCase):
    def setUp(self):
        self.workshop = programs.Workshop()
        self.addCleanup(self.workshop.close)

    def compile(self):
        """The command."""
        include = f"-I{programs.SOURCE}/include"
        library = self.workshop.compile("spawner.c", [include, "-shared", "-fPIC"], programs.NATIVE)
        # In a FILE of the program's, fgets bypasses the shim only if stdio is not replaced.
        return self.workshop.compile("blocking.cpp", [include, "-rdynamic"], programs.NATIVE), library

    def check(self, out):
        begin = r'tendril: the hub of thread \d+ "work\?\[7mer" has been blocked for \d+ ms by '
        site = r", called at {0} \(blocking\+0x[0-9a-f]+\)"
        expected = [begin + r'fiber #\d+ "reader": read fd \d+.*' + site.format("blocks_in_read"),
                    begin + r"the main fiber: futex.*" + site.format("blocks_in_semaphore"),
                    begin + r"fiber #\d+: read fd \d+, from fgets" + site.format("blocks_in_stdio"),
                    begin + r'fiber #\d+ "coun\?ter": computing, in a fiber that was spawned at '
                            r"main \(blocking\+0x[0-9a-f]+\)",
                    begin + r"fiber #\d+: computing, in a fiber that was spawned at 0x[0-9a-f]+"]
        lines = out.splitlines()
        self.assertEqual(len(lines), len(expected), out)
        for line, pattern in zip(lines, expected):
            self.assertRegex(line, re.compile(pattern + "$"))

    def test_without_a_shim(self):
        self.check(programs.run(*self.compile(), TENDRIL_BLOCKED="20")[0])

    def test_with_the_shim(self):
        out, _ = programs.run(programs.TOOL, "run", "--shim=socket,time", "--blocked=20", *self.compile())
        self.check(out)

    def test_waits_in_the_hub_are_none(self):
        _, errors = programs.run(programs.TOOL, "run", "--blocked=20", "sleep", "0.2")
        self.assertEqual(errors, "")

    def test_wrong_values(self):
        for wrong in ("soon", "-1", "1s", "", "2147483648"):
            _, errors = programs.run(programs.TOOL, "run", f"--blocked={wrong}", "true", status=2)
            self.assertIn("milliseconds", errors)


if __name__ == "__main__":
    unittest.main()
