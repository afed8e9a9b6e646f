#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The binary interface is the recorded one, lib/abi.txt, and the public headers and the exports agree."""

import difflib
import os
import platform
import shutil
import tempfile
import unittest

import abi

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
LIBRARY = os.environ["TENDRIL_TEST_LIBRARY"]
SHIM = os.environ["TENDRIL_TEST_SHIM"]
INCLUDE = os.path.join(SOURCE, "include")

with open(os.path.join(SOURCE, "lib", "abi.txt")) as file:
    RECORDED = file.read()


def difference(now):
    return list(difflib.unified_diff(RECORDED.splitlines(), now.splitlines(), "lib/abi.txt", "as built",
                                     lineterm="", n=2))


def breaks(difference):
    return any(line.startswith("-") for line in difference[2:])


@unittest.skipIf(os.environ["TENDRIL_TEST_SANITIZE"], "sanitizers export names of their own")
@unittest.skipUnless(shutil.which("clang++"), "needs clang")
@unittest.skipUnless(f"({platform.machine()})" in RECORDED, "recorded on another machine")
class Interface(unittest.TestCase):
    def test_is_the_recorded_one(self):
        changes = difference(abi.dump(LIBRARY, SHIM))
        if changes:
            advice = ("Programs compiled against the last release break: what was there must stay as it is, "
                      "or the major version goes up." if breaks(changes) else "Nothing breaks by this.")
            self.fail("\n" + "\n".join(changes) + f"\n\n{advice}\nIf it is meant: ./dev abi")

    def test_a_changed_layout_is_noticed(self):
        with tempfile.TemporaryDirectory() as scratch:
            include = os.path.join(scratch, "include")
            shutil.copytree(INCLUDE, include)
            for header, old, new in [("hub.hpp", "std::uint64_t finished = 0;", "std::uint32_t finished = 0;"),
                                     ("net.hpp", "enum class direction { ", "enum class direction { none, ")]:
                path = os.path.join(include, "tendril", header)
                with open(path) as file:
                    text = file.read()
                self.assertIn(old, text)
                with open(path, "w") as file:
                    file.write(text.replace(old, new))
            changes = difference(abi.dump(LIBRARY, SHIM, include))
        self.assertTrue(breaks(changes))
        self.assertIn("+      8 unsigned int finished", changes)
        self.assertIn("+tendril::v1::net::direction: int { none = 0, receive = 1, send = 2, both = 3 }", changes)

    def test_a_lost_symbol_is_noticed(self):
        changes = difference(abi.dump(LIBRARY, SHIM).replace("const char *tendril_version()\n", ""))
        self.assertTrue(breaks(changes))
        self.assertIn("-const char *tendril_version()", changes)

    def test_layouts_do_not_depend_on_the_standard(self):
        records = abi.Headers(INCLUDE).records
        self.assertEqual(abi.layouts(INCLUDE, records),
                         abi.layouts(INCLUDE, records, "-std=c++20", "-DNDEBUG", "-O2"))

    def test_the_headers_and_the_exports_agree(self):
        headers = abi.Headers(INCLUDE)
        exported = {name for name, _, size in abi.exported(LIBRARY)
                    if not size and not name.startswith(("_ZTh", "_ZTv"))}  # thunks
        # An object's constructor and destructor have variants; clang names one of each.
        one = {name.replace("C2E", "C1E").replace("D2E", "D1E").replace("D0E", "D1E") for name in exported}
        self.assertEqual(sorted(set(headers.functions) - one), [], "public, not exported")
        self.assertEqual(sorted(one - set(headers.functions)), [], "exported, in no public header")


if __name__ == "__main__":
    unittest.main()
