#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The shim in processes of all kinds: early and late, locked up, with threads; its settings."""

import os
import unittest

import programs

FAMILIES = ("socket", "time", "poll", "dns", "file", "process", "signal", "stdio", "sync", "thread")


class Process(unittest.TestCase):
    def setUp(self):
        self.workshop = programs.Workshop()
        self.addCleanup(self.workshop.close)
        self.stats = self.workshop.file("statistics.json")

    def test_no_system_call_of_ours_at_start_or_end(self):
        program = self.workshop.compile("sandbox.c")
        self.assertEqual(programs.run(program, LD_PRELOAD=programs.SHIM), ("alive\n", ""))

    def test_called_before_its_constructor(self):
        library = self.workshop.compile("early_library.c", ["-shared", "-fPIC"], name="libearly.so")
        program = self.workshop.compile("early.c", ["-fno-builtin"], ["-Wl,--no-as-needed", library])
        expected = "constructor\nmain\ndestructor\n"
        self.assertEqual(programs.run(program), (expected, ""))
        for engage in ("none", "main", "all"):
            found = programs.run(program, LD_PRELOAD=programs.SHIM, TENDRIL_ENGAGE=engage)
            self.assertEqual(found, (expected, ""))

    def test_loaded_too_late(self):
        program = self.workshop.compile("loader.c")
        for setting in ({"TENDRIL_DEBUG": "1"}, {"TENDRIL_ENGAGE": "main"}):
            out, errors = programs.run(program, programs.SHIM, **setting)
            self.assertEqual(out, "went on\n")
            self.assertIn("interposes nothing", errors)
        self.assertEqual(programs.run(program, programs.SHIM), ("went on\n", ""))

    def test_self_check_is_satisfied_when_preloaded(self):
        _, errors = programs.run("/bin/true", LD_PRELOAD=programs.SHIM, TENDRIL_DEBUG="1")
        self.assertIn("interposes all", errors)

    def test_a_program_with_a_function_of_its_own_under_a_name_of_libc(self):
        program = self.workshop.compile("own_function.c", libraries=["-rdynamic"])
        for setting in ({}, {"TENDRIL_ENGAGE": "main"}):
            self.assertEqual(programs.run(program, LD_PRELOAD=programs.SHIM, **setting), ("its own\n", ""))
        _, errors = programs.run(program, LD_PRELOAD=programs.SHIM, TENDRIL_DEBUG="1")
        self.assertEqual(errors, "tendril: the program has its own: closefrom\n")

    def test_fortified_overflow_still_ends_the_program(self):
        program = self.workshop.compile("fatal.c", ["-O2", "-D_FORTIFY_SOURCE=2"])
        for engage in ("none", "main"):
            _, errors = programs.run(program, LD_PRELOAD=programs.SHIM, TENDRIL_ENGAGE=engage, status=-6)
            self.assertIn("buffer overflow detected", errors)

    def test_counts_threads(self):
        program = self.workshop.compile("threads.c", libraries=["-pthread"])
        programs.run(program, LD_PRELOAD=programs.SHIM, TENDRIL_STATS=self.stats)
        statistics = self.workshop.statistics()
        self.assertEqual(statistics["os_threads_max"], 7)
        self.assertEqual(statistics["functions"]["pthread_create"]["passed_through"], 24)
        self.assertEqual(statistics["functions"]["thrd_create"]["passed_through"], 4)

    def test_engages_the_threads_that_it_is_told_to(self):
        program = self.workshop.compile("all_threads.c", libraries=["-pthread"])
        for engage, waited in (("none", 0), ("main", 1), ("all", 3)):
            programs.run(program, LD_PRELOAD=programs.SHIM, TENDRIL_STATS=self.stats,
                         TENDRIL_ENGAGE=engage)
            statistics = self.workshop.statistics()
            self.assertEqual(statistics["functions"]["usleep"],
                             {"waited": waited, "at_once": 0, "passed_through": 3 - waited})
            self.assertEqual(statistics["waits"].get("sleep", 0), waited)
            self.assertLessEqual(statistics["os_threads_max"], 3)

    def test_statistics_without_a_hub(self):
        program = self.workshop.compile("sandbox.c", ["-DFREE"])
        programs.run(program, LD_PRELOAD=programs.SHIM,
                     TENDRIL_STATS=self.workshop.file("of-%p.json"))
        (name,) = [name for name in os.listdir(self.workshop.path) if name.startswith("of-")]
        self.assertRegex(name, r"^of-\d+\.json$")
        statistics = self.workshop.statistics(name)
        self.assertEqual((statistics["fibers"], statistics["switches"]), (0, 0))
        self.assertEqual(statistics["functions"]["write"],
                         {"waited": 0, "at_once": 0, "passed_through": 1})

    def test_statistics_when_a_fiber_ends_the_process(self):
        include = os.path.join(programs.SOURCE, "include")
        program = self.workshop.compile("exit_in_fiber.cpp", [f"-I{include}"], programs.NATIVE)
        programs.run(program, LD_PRELOAD=programs.SHIM, TENDRIL_STATS=self.stats, status=5)
        statistics = self.workshop.statistics()
        self.assertEqual(statistics["fibers"], 2)
        self.assertGreater(statistics["switches"], 2)
        self.assertEqual((statistics["waits"]["sleep"], statistics["waits"]["join"]), (1, 1))
        # Nobody counts a wait that never ended.
        self.assertEqual(statistics["functions"]["read"]["waited"], 0)
        self.assertEqual(statistics["waits"]["read"], 1)
        self.assertEqual(statistics["functions"]["usleep"]["waited"], 1)
        self.assertEqual(statistics["os_threads_max"], 1)

    def test_statistics_that_cannot_be_written(self):
        _, errors = programs.run("/bin/true", LD_PRELOAD=programs.SHIM,
                                 TENDRIL_STATS=self.workshop.file("nowhere/s.json"))
        self.assertIn("No such file or directory", errors)

    def test_settings_that_make_no_sense(self):
        out, errors = programs.run("/bin/true", LD_PRELOAD=programs.SHIM, TENDRIL_ENGAGE="maybe", status=2)
        self.assertIn("main, all, none", errors)
        out, errors = programs.run("/bin/true", LD_PRELOAD=programs.SHIM, TENDRIL_SHIM="time,tme", status=2)
        self.assertIn("'tme'", errors)
        for family in FAMILIES:
            self.assertIn(family, errors)
        programs.run("/bin/true", LD_PRELOAD=programs.SHIM, TENDRIL_SHIM=",".join(FAMILIES))

    def test_common_programs(self):
        for command in (["ls", "/"], ["sh", "-c", "echo a | cat; (sleep 0.01; echo b) & wait"],
                        ["python3", "-c", "import subprocess, time; time.sleep(.01);"
                                          "print(subprocess.check_output(['echo', 'hi']))"]):
            expected = programs.run(*command)
            self.assertEqual(programs.run(*command, LD_PRELOAD=programs.SHIM), expected)
            self.assertEqual(programs.run(programs.TOOL, "run", *command), expected)
            self.assertEqual(programs.run(programs.TOOL, "run", "--engage=all", *command), expected)


if __name__ == "__main__":
    unittest.main()
