#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""bin/tendril: what it runs, and what it refuses to run."""

import os
import unittest

import programs

TOOL = programs.TOOL


class Tool(unittest.TestCase):
    def setUp(self):
        self.workshop = programs.Workshop()
        self.addCleanup(self.workshop.close)

    def refused(self, status, *arguments, **environment):
        out, errors = programs.run(TOOL, *arguments, status=status, **environment)
        self.assertEqual(out, "")
        self.assertTrue(errors.startswith("tendril"), errors)
        return errors

    def script(self, name, text, mode=0o755):
        path = self.workshop.file(name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def test_help_and_version(self):
        with open(os.path.join(programs.SOURCE, "lib", "VERSION")) as file:
            version = file.read().strip()
        self.assertEqual(programs.run(TOOL, "--version"), (f"tendril {version}\n", ""))
        for arguments in (["--help"], ["run", "--help"]):
            out, errors = programs.run(TOOL, *arguments)
            self.assertIn("--engage=main|all|none", out)
            self.assertEqual(errors, "")

    def test_settings_outlive_the_environment(self):
        """A program that sets its title writes over it."""
        file = self.workshop.file("s.json")
        programs.run(TOOL, "run", f"--stats={file}", "perl", "-e", '$0 = "x" x 4000; select undef, undef, undef, 0.01')
        self.assertEqual(self.workshop.statistics("s.json")["functions"]["select"]["waited"], 1)

    def test_wrong_usage(self):
        self.refused(2)
        self.refused(2, "walk")
        self.refused(2, "run")
        self.refused(2, "run", "--")
        self.refused(2, "run", "--stats=", "true")
        self.refused(2, "run", "--fast", "true")
        self.assertIn("main, all, none", self.refused(2, "run", "--engage=some", "true"))

    def test_unknown_family(self):
        errors = self.refused(2, "run", "--shim=socket,sockets", "true")
        for family in ("'sockets'", "socket", "time", "poll", "dns"):
            self.assertIn(family, errors)
        self.refused(2, "run", "--shim=", "true")
        _, errors = programs.run(TOOL, "run", "--shim=sync,time", "true")
        self.assertIn("covers nothing yet", errors)

    def test_what_cannot_be_executed(self):
        self.assertIn("nonesuch", self.refused(127, "run", "nonesuch"))
        self.refused(127, "run", self.workshop.file("nonesuch"))
        self.refused(126, "run", self.script("text", "hello", 0o644))
        self.refused(126, "run", self.workshop.path)
        self.refused(126, "run", "text", PATH=self.workshop.path + ":/bin")
        self.refused(127, "run", self.script("orphan", "#!/no/such/interpreter\n"))

    def test_static_program(self):
        program = self.workshop.compile("sandbox.c", ["-static"])
        self.assertIn("interposition cannot work", self.refused(2, "run", program))
        self.refused(2, "run", self.script("script", f"#! {program} x\n"))

    @unittest.skipUnless(os.getuid() == 0, "only root can make a program setuid for another user")
    def test_setuid_program(self):
        program = self.workshop.compile("sandbox.c")
        os.chown(program, 65534, 65534)
        os.chmod(program, 0o4755)
        if os.statvfs(program).f_flag & os.ST_NOSUID:
            self.skipTest("the file system ignores setuid")
        self.assertIn("interposition cannot work", self.refused(2, "run", program))
        os.chmod(program, 0o2755)
        self.refused(2, "run", program)

    def test_finds_what_execvp_finds(self):
        self.script("greet", "#!/bin/sh\necho hello \"$@\"\n")
        self.script("bare", "echo bare\n")
        path = {"PATH": self.workshop.path + ":/usr/bin:/bin"}
        self.assertEqual(programs.run(TOOL, "run", "greet", "--help", **path)[0], "hello --help\n")
        self.assertEqual(programs.run(TOOL, "run", "--", "greet", "x", **path)[0], "hello x\n")
        self.assertEqual(programs.run(TOOL, "run", "bare", **path)[0], "bare\n")

    def test_status_is_the_programs(self):
        programs.run(TOOL, "run", "sh", "-c", "exit 42", status=42)

    def test_environment(self):
        out, _ = programs.run(TOOL, "run", "--shim=time", "--engage=all", "--stats=s.json", "env",
                              LD_PRELOAD="libc.so.6", cwd=self.workshop.path)
        variables = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        self.assertEqual(variables["LD_PRELOAD"], f"{programs.SHIM}:libc.so.6")
        self.assertEqual(variables["TENDRIL_SHIM"], "time")
        self.assertEqual(variables["TENDRIL_ENGAGE"], "all")
        self.assertEqual(variables["TENDRIL_STATS"], self.workshop.file("s.json"))
        self.assertTrue(os.path.exists(self.workshop.file("s.json")))
        out, _ = programs.run(TOOL, "run", "env")
        self.assertIn("TENDRIL_ENGAGE=main\n", out)
        self.assertNotIn("TENDRIL_STATS", out)


if __name__ == "__main__":
    unittest.main()
