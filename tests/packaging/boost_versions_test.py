#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tendril built on another Boost than the installed one, where `./dev test` has unpacked it: Boost.Fiber's
fibers on a hub pass the same tests."""

import glob
import os
import tempfile
import unittest

from workshop import BUILT_BY_CMAKE, SANITIZED, SOURCE, needed, run

UNPACKED = sorted(glob.glob(os.path.join(SOURCE, "build", "boost-*", "usr")))


@unittest.skipIf(SANITIZED or not BUILT_BY_CMAKE, "one build of CMake's is enough for this")
@unittest.skipUnless(UNPACKED, "no build/boost-VERSION; `./dev test` unpacks Boost 1.81 on Debian 12")
class OtherBoost(unittest.TestCase):
    def check(self, prefix, build):
        version = os.path.basename(os.path.dirname(prefix)).split("-")[1]
        run("cmake", "-G", "Ninja", "-S", SOURCE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
            "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DTENDRIL_BENCH=OFF",
            "-DTENDRIL_EXAMPLES=OFF")
        run("cmake", "--build", build, "-j2", "--target", "boost_fiber_test", "boost_fiber_shim_test")
        shim = os.path.join(build, "lib", "libtendril_shim.so")
        for name, preload in (("boost_fiber_test", ""), ("boost_fiber_shim_test", shim)):
            program = os.path.join(build, "tests", name)
            boost = {library.split(".so.")[1] for library in needed(program) if "boost_fiber" in library}
            self.assertEqual(boost, {version + ".0"})
            said = run("env", f"LD_PRELOAD={preload}", program)
            self.assertIn("[  PASSED  ]", said)

    def test_boost_fiber(self):
        for prefix in UNPACKED:
            with self.subTest(prefix), tempfile.TemporaryDirectory() as build:
                self.check(prefix, build)


if __name__ == "__main__":
    unittest.main()
