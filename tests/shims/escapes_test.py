#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Ways past the shim: tendril::real, tendril_is_shimmed, the families, and TENDRIL_DENY."""

import unittest

import programs

NAMES = ("read", "__read_chk", "nanosleep", "close", "open", "pthread_create", "pthread_mutex_lock",
         "nonesuch")
READS = ("read", "real::read", "library_read", "library_read_checked", "library_read_alias")
LIBRARY = ("library_read", "library_read_checked", "library_read_alias")


class Escapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workshop = programs.Workshop()
        cls.addClassCleanup(cls.workshop.close)
        include = f"-I{programs.SOURCE}/include"
        part = cls.workshop.compile("escapes.cpp", [include, "-c"], name="escapes.o")

        def link(name, *libraries):
            return cls.workshop.compile(part, libraries=[*libraries, *programs.NATIVE], name=name)

        cls.program = link("escapes")
        cls.linked = link("linked", *programs.LINKED)
        cls.whole = link("whole", *programs.WHOLE_ARCHIVE)
        cls.library = cls.workshop.compile("escapes_library.c", ["-shared", "-fPIC"],
                                           name="libescape.so.1")

    def check(self, shimmed, wait, program=None, **environment):
        """Which names are said to be shimmed, and which reads wait in the hub."""
        out, errors = programs.run(program or self.program, self.library, **environment)
        self.assertEqual(errors, "")
        expected = [" ".join(("+" if name in shimmed else "-") + name for name in NAMES)]
        expected += [f"{name}: 1 'x', another fiber {'ran' if name in wait else 'waited'}" for name in READS]
        expected += ["real: 1 0 0 1"]
        self.assertEqual(out.splitlines(), expected)

    def shimmed(self, wait, **environment):
        self.check(("read", "__read_chk", "nanosleep", "close", "open"), wait, LD_PRELOAD=programs.SHIM,
                   **environment)

    def test_without_a_shim(self):
        self.check((), ())

    def test_with_the_shim(self):
        everything_else = [name for name in READS if name != "real::read"]
        self.shimmed(everything_else)
        for program in (self.linked, self.whole):
            self.check(("read", "__read_chk", "nanosleep", "close", "open"), everything_else, program)

    def test_families(self):
        self.check(("nanosleep", "close"), (), LD_PRELOAD=programs.SHIM, TENDRIL_SHIM="time")
        self.check(("close", "open"), (), LD_PRELOAD=programs.SHIM, TENDRIL_SHIM="file")

    def test_denied_libraries(self):
        for deny in ("libescape.so.1", "libescape.so*", "libx.so,*cape.so*", "lib*x*e.so,lib*pe*.so.*"):
            self.shimmed(["read"], TENDRIL_DENY=deny)
        self.shimmed(["read", *LIBRARY], TENDRIL_DENY="libescape.so,libescape,scape*,*.so")
        self.shimmed(LIBRARY, TENDRIL_DENY="escapes")
        self.shimmed([], TENDRIL_DENY="*")

    def test_denied_calls_are_counted(self):
        self.shimmed(["read"], TENDRIL_DENY="libescape*", TENDRIL_STATS=self.workshop.file("statistics.json"))
        reads = self.workshop.statistics()["functions"]["read"]
        self.assertEqual(reads["passed_through"], 3)
        self.assertEqual(reads["waited"], 1)

    def test_denied_calls_engage_nobody(self):
        for deny, switches in (("sleep", False), ("nosleep", True)):
            programs.run(programs.TOOL, "run", f"--deny={deny}", f"--stats={self.workshop.file('sleep.json')}",
                         "sleep", "0.01")
            statistics = self.workshop.statistics("sleep.json")
            self.assertEqual(statistics["waits"].get("sleep", 0) != 0, switches, statistics)
            slept = statistics["functions"]
            slept = [slept.get(name, {}) for name in ("nanosleep", "clock_nanosleep")]
            self.assertEqual(any(f.get("passed_through") for f in slept), not switches, statistics)

    def test_what_cannot_be_denied(self):
        for wrong in ("/lib/libescape.so.1", "libescape.so,", ","):
            _, errors = programs.run(programs.TOOL, "run", f"--deny={wrong}", "true", status=2)
            self.assertIn("valid are names of files", errors)
            _, errors = programs.run("true", status=2, LD_PRELOAD=programs.SHIM, TENDRIL_DENY=wrong)
            self.assertIn("TENDRIL_DENY", errors)


if __name__ == "__main__":
    unittest.main()
