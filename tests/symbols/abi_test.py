#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The binary interface is the recorded one, lib/abi.txt, and the public headers and the exports agree."""

import difflib
import glob
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
            advice = ("What went (-) or changed breaks programs that were compiled against it."
                      if breaks(changes) else "Nothing breaks by this.")
            self.fail("\n" + "\n".join(changes) + f"\n\n{advice}\nIf it is meant: ./dev abi")

    def test_a_changed_layout_is_noticed(self):
        with tempfile.TemporaryDirectory() as scratch:
            include = os.path.join(scratch, "include")
            shutil.copytree(INCLUDE, include)
            changed = 0
            for header in glob.glob(os.path.join(include, "tendril", "*.hpp")):
                with open(header) as file:
                    text = file.read()
                for old, new in [("std::uint64_t finished = 0;", "std::uint32_t finished = 0;"),
                                 ("enum class transport { ", "enum class transport { none, ")]:
                    changed += text.count(old)
                    text = text.replace(old, new)
                with open(header, "w") as file:
                    file.write(text)
            self.assertEqual(changed, 2)
            changes = difference(abi.dump(LIBRARY, SHIM, include))
        self.assertTrue(breaks(changes))
        self.assertIn("+      8 unsigned int finished", changes)
        self.assertIn("+tendril::v1::dns::transport: int { none = 0, tcp = 1, udp = 2 }", changes)

    def test_a_lost_symbol_is_noticed(self):
        changes = difference(abi.dump(LIBRARY, SHIM).replace("const char *tendril_version()\n", ""))
        self.assertTrue(breaks(changes))
        self.assertIn("-const char *tendril_version()", changes)

    def test_layouts_do_not_depend_on_the_standard(self):
        records = abi.Headers(INCLUDE).records
        layouts = abi.layouts(INCLUDE, records)
        self.assertEqual([name for name in records if name not in layouts and "<" not in name], [])
        self.assertEqual(layouts,
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
