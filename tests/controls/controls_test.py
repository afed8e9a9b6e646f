#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The tests are tested: each of these shims is wrong in one way, and turns one of our tests red, which the
same library in front of the shim leaves green as long as it spoils nothing."""

import os
import subprocess
import sys
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE, "tests", "shims"))
import programs  # noqa: E402
import transparency_test  # noqa: E402

TESTS = os.environ["TENDRIL_TEST_PROGRAM_DIR"]
BUILT_BY_CMAKE = os.path.exists(os.path.join(os.environ["TENDRIL_TEST_BUILD_DIR"], "CMakeCache.txt"))
PATIENCE = 60  # seconds for what is right
HANGS = 5  # what a wrong one does not finish in this time is red, too

# The wrong shim, and the test that sees it: of a program, or of programs that are compared with libc.
CONTROLS = {
    "nonblock-leaked": "flags.c",
    "eintr-swallowed": "interruption_test interruption.ends_the_waits_of_all_fibers",
    "errno-clobbered": "fibers_test fibers.keep_their_errno",
    "one-set-of-exceptions": "fiber_state_test FiberState.FibersParkInsideCatchBlocks",
    "getaddrinfo-serialised": "fibers_test fiber_names.are_asked_for_at_once",
    "close-wakes-nobody": "fibers_test fibers.get_EBADF_when_their_fd_is_closed",
    "every-20th-close-lost": "descriptors.c",
    "hub-blocks": "fibers_test fibers.sleep_at_the_same_time",
}


class Controls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        workshop = programs.Workshop()
        cls.addClassCleanup(workshop.close)
        cls.preload = workshop.file("libwrong.so") + ":" + programs.SHIM
        source = os.path.join(SOURCE, "tests", "controls", "programs", "wrong_shim.c")
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                        "-fvisibility=hidden", source, "-o", workshop.file("libwrong.so")], check=True)

    def green(self, test, control, limit):
        if test.endswith(".c"):
            return self.compares_well(test, control)
        program, name = test.split()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TENDRIL_", "LD_", "GTEST_"))}
        try:
            done = subprocess.run([os.path.join(TESTS, program), f"--gtest_filter={name}"], timeout=limit, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env={**clean, "LD_PRELOAD": self.preload, "CONTROL": control})
        except subprocess.TimeoutExpired:
            return False
        self.output = done.stdout
        ran = "Running 1 test from" in done.stdout
        self.assertTrue(ran, f"no such test: {test}\n{done.stdout}")
        return done.returncode == 0

    def compares_well(self, source, control):
        """As transparency_test does it, with this one program and without the word that the shim is not the
        first library, which would be enough to tell."""
        def run(*command, **environment):
            output, errors = programs.run(*command, CONTROL=control, **environment)
            return output, "".join(line for line in errors.splitlines(True) if "comes before the shim" not in line)

        class Comparison(transparency_test.Transparency):
            def runTest(self):
                self.expected(source)
                program = self.compiled(source)
                self.check_idle(source, program, LD_PRELOAD=preload)
                self.check_engaged(source, program, LD_PRELOAD=preload)

        class Programs:
            VARIANTS, Workshop = programs.VARIANTS, programs.Workshop
        preload = self.preload
        Programs.run = staticmethod(run)
        result = unittest.TestResult()
        transparency_test.programs = Programs
        try:
            unittest.TestSuite([Comparison()]).run(result)
        finally:
            transparency_test.programs = programs
        self.output = "".join(text for _, text in result.failures + result.errors)
        self.assertEqual(result.testsRun, 1, self.output)
        return result.wasSuccessful()

    def test_each_turns_a_test_red(self):
        for control, test in CONTROLS.items():
            with self.subTest(control=control, test=test):
                self.assertTrue(self.green(test, "harmless", PATIENCE), self.output)
                self.assertFalse(self.green(test, control, HANGS), "it did not notice")


def load_tests(loader, tests, pattern):
    """It is about the tests, not about the build."""
    return tests if BUILT_BY_CMAKE else unittest.TestSuite()


if __name__ == "__main__":
    unittest.main(verbosity=2)
