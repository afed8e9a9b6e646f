#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Boost.Fiber's fibers on a hub pass the same tests with another Boost than the installed one, where
`./dev test` has unpacked it. The library's archive is linked with that Boost's Boost.Context too."""

import glob
import os
import tempfile
import unittest

from workshop import BUILD, BUILT_BY_CMAKE, SANITIZED, SOURCE, needed, run

UNPACKED = sorted(glob.glob(os.path.join(SOURCE, "build", "boost-*", "usr")))
SHIM = os.environ.get("TENDRIL_TEST_SHIM", "")


@unittest.skipIf(SANITIZED or not BUILT_BY_CMAKE, "once, for CMake's build, is enough")
@unittest.skipUnless(UNPACKED, "no build/boost-VERSION; `./dev test` unpacks Boost 1.81 on Debian 12")
class OtherBoost(unittest.TestCase):
    def check(self, boost, scratch, source, preload):
        program = os.path.join(scratch, "program")
        libraries = os.path.dirname(glob.glob(os.path.join(boost, "lib", "**", "libboost_fiber.so"),
                                              recursive=True)[0])
        run("c++", "-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-isystem", os.path.join(boost, "include"),
            "-I", os.path.join(SOURCE, "include"), "-I", os.path.join(SOURCE, "tests"), os.path.join(SOURCE, source),
            "-o", program,
            os.path.join(BUILD, "lib", "libtendril.a"), f"-L{libraries}", f"-Wl,-rpath,{libraries}",
            "-lboost_fiber", "-lboost_context", "-lgtest_main", "-lgtest", "-lcares", "-lresolv", "-pthread", "-ldl")
        version = os.path.basename(os.path.dirname(boost)).split("-")[1] + ".0"
        ours = {library.split(".so.")[1] for library in needed(program) if "libboost_" in library}
        self.assertEqual(ours, {version})
        self.assertIn("[  PASSED  ]", run("env", f"LD_PRELOAD={preload}", program))

    def test_boost_fiber(self):
        tests = [(f"tests/lib/api/boost_fiber{part}_test.cpp", "") for part in ("", "_threads", "_waits")]
        if SHIM:
            tests.append(("tests/shims/boost_fiber_shim_test.cpp", SHIM))
        for boost in UNPACKED:
            for source, preload in tests:
                with self.subTest(boost, source=source), tempfile.TemporaryDirectory() as scratch:
                    self.check(boost, scratch, source, preload)


if __name__ == "__main__":
    unittest.main()
