#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The man page is well formed, and says of tendril's options and of the environment all there is."""

import os
import re
import shutil
import subprocess
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
PAGE = os.path.join(SOURCE, "docs", "tendril.1")


def said(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.stdout + done.stderr


def options(text):
    return set(re.findall(r"(?<![\w-])(--?[a-z]+)", text))


class ManPage(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mandoc"), "needs mandoc")
    def test_mandoc_finds_no_fault(self):
        faults = [line for line in said("mandoc", "-T", "lint", PAGE).splitlines()
                  if "mandoc.db" not in line]  # whether this machine has the pages that ours names
        self.assertEqual(faults, [])

    @unittest.skipUnless(shutil.which("groff"), "needs groff")
    def test_groff_finds_no_fault(self):
        self.assertEqual(said("groff", "-ww", "-z", "-mandoc", "-T", "utf8", PAGE), "")

    def test_has_the_options_of_the_tool(self):
        with open(PAGE) as file:
            items = re.findall(r"^\.It (Fl .*)", file.read(), re.M)
        in_page = {"-" + option for item in items for option in re.findall(r"Fl (-?[a-z]+)", item)}
        tool = os.environ["TENDRIL_TEST_TOOL"]
        in_help = options(said(tool, "--help"))
        self.assertGreaterEqual(in_help, {"--shim", "--engage", "--stats", "--version", "--help"})
        with open(os.path.join(SOURCE, "tools", "tendril.cpp")) as file:
            code = file.read()
        parsed = {"--" + name for name in re.findall(r'\{"([a-z-]+)", \w+_argument', code)}
        self.assertLessEqual(parsed, in_help)
        self.assertEqual(in_page - {"-h"}, in_help)

    def test_has_all_variables(self):
        read = set()
        for top in ("lib", "shims", "tools"):
            for where, _, names in os.walk(os.path.join(SOURCE, top)):
                for name in names:
                    if name.endswith((".cpp", ".hpp")):
                        with open(os.path.join(where, name)) as file:
                            read |= set(re.findall(r'"(TENDRIL_[A-Z_]+)"', file.read()))
        with open(PAGE) as file:
            in_page = set(re.findall(r"^\.It Ev (TENDRIL_\w+)", file.read(), re.M))
        self.assertEqual(in_page, read)


if __name__ == "__main__":
    unittest.main()
