#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The built libraries export their own names and nothing else; the shim needs nothing but libc."""

import os
import re
import subprocess
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
LIBRARY = os.environ["TENDRIL_TEST_LIBRARY"]
SHIM = os.environ.get("TENDRIL_TEST_SHIM")
with open(os.path.join(SOURCE, "lib", "VERSION")) as file:
    MAJOR = file.read().split(".")[0]
SYMBOLS = os.path.join(SOURCE, "shims", "symbols.def")

# What the Itanium ABI emits besides a function: tables, type information, thunks, guards.
OWN = re.compile(r"((vtable|VTT|typeinfo|typeinfo name|guard variable) for |(non-)?virtual thunk to )?"
                 r"tendril::|tendril_|TENDRIL_\d")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exported(library):
    """The names without their versions, as they stand in the symbol table."""
    lines = output("nm", "-D", "--defined-only", "--format=posix", library).splitlines()
    return {line.split()[0].split("@")[0] for line in lines}


def demangled(names):
    return output("c++filt", *sorted(names)).splitlines()


def needed(library):
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", library)))


class Libtendril(unittest.TestCase):
    def test_exports_only_its_own_names(self):
        names = demangled(exported(LIBRARY))
        self.assertIn("tendril::v1::version()", names)
        self.assertEqual([name for name in names if not OWN.match(name)], [])

    def test_soname_is_the_major_version(self):
        self.assertIn(f"[libtendril.so.{MAJOR}]", output("readelf", "-d", LIBRARY))

    def test_symbols_carry_the_major_version(self):
        lines = output("nm", "-D", "--defined-only", "--format=posix", LIBRARY).splitlines()
        names = [line.split()[0] for line in lines if line.split()[1] != "A"]
        self.assertTrue(names)
        self.assertEqual([name for name in names if not name.endswith(f"@@TENDRIL_{MAJOR}")], [])


@unittest.skipUnless(SHIM, "this build has no shim")
class Shim(unittest.TestCase):
    def test_needs_only_libc(self):
        self.assertLessEqual(needed(SHIM), {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"})

    def test_soname_is_the_major_version(self):
        self.assertIn(f"[libtendril_shim.so.{MAJOR}]", output("readelf", "-d", SHIM))

    def test_exports_exactly_its_table(self):
        with open(SYMBOLS) as file:
            table = set(re.findall(r"^\s*TENDRIL_(?:SYMBOL|UNDECLARED|VARIADIC|(?:VARIADIC_)?ALIAS|FORMATTED|CHECKED)\(\s*(\w+)",
                                   file.read(), re.M))
        names = {name for name in exported(SHIM) if not name.startswith("tendril_shim_")}
        self.assertEqual(sorted(table - names), [], "in the table, not exported")
        self.assertEqual(sorted(names - table), [], "exported, not in the table")


if __name__ == "__main__":
    unittest.main()
