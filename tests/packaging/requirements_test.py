#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""A build that lacks a library says which Debian package brings it, for each that is missing."""

import os
import tempfile
import unittest

from workshop import BUILT_BY_CMAKE, SANITIZED, SOURCE, run

BOOST = "tendril needs Boost.Context 1.74 or newer (Debian: libboost-context-dev)"
CARES = "tendril needs c-ares 1.18 or newer (Debian: libc-ares-dev pkg-config)"
ELF = "tendril needs libelf 0.170 or newer (Debian: libelf-dev pkg-config)"
CAPSTONE = "tendril needs Capstone 4.0 or newer (Debian: libcapstone-dev pkg-config)"
JSON = "tendril needs JSON for Modern C++ 3.7 or newer (Debian: nlohmann-json3-dev pkg-config)"

OLD_CARES = "Name: c-ares\nDescription: old\nVersion: 1.10.0\nLibs: -lcares\n"
# What CMake and Meson read of Boost.
OLD_BOOST = '#define BOOST_VERSION 106000\n#define BOOST_LIB_VERSION "1_60"\n'


@unittest.skipIf(SANITIZED, "the same as without")
class Requirements(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def file(self, path, text=""):
        path = os.path.join(self.scratch, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def refusal(self, *options, **environment):
        """What the build that this test belongs to says when it is configured."""
        build = os.path.join(self.scratch, "build")
        if BUILT_BY_CMAKE:
            command = ("cmake", "-G", "Ninja", "-S", SOURCE, "-B", build, *options)
        else:
            command = ("meson", "setup", build, SOURCE)
        return " ".join(run(*command, status=1, **environment).split())

    def old_boost(self):
        self.file("boost/include/boost/version.hpp", OLD_BOOST)
        self.file("boost/include/boost/config.hpp")
        self.file("boost/lib/libboost_context.so")
        return os.path.join(self.scratch, "boost")

    def test_without_cares(self):
        said = self.refusal(PKG_CONFIG_LIBDIR=self.scratch)
        self.assertIn(CARES, said)
        self.assertNotIn(BOOST, said)

    def test_old_cares(self):
        self.file("libcares.pc", OLD_CARES)
        self.assertIn(CARES + ", found 1.10.0", self.refusal(PKG_CONFIG_LIBDIR=self.scratch))

    def test_old_boost(self):
        said = self.refusal("-DBoost_NO_BOOST_CMAKE=ON", "-DBoost_NO_SYSTEM_PATHS=ON",
                            BOOST_ROOT=self.old_boost())
        self.assertIn(BOOST + ", found 1.60.0", said)
        self.assertNotIn(CARES, said)

    def test_without_anything(self):
        said = self.refusal("-DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON", BOOST_ROOT=self.file("x/include/no"),
                            PKG_CONFIG_LIBDIR=self.scratch)
        for need in (BOOST, CARES, ELF, CAPSTONE, *([JSON] if BUILT_BY_CMAKE else [])):  # Meson asks CMake too
            self.assertIn(need, said)

    @unittest.skipUnless(BUILT_BY_CMAKE, "Meson has its own ways of looking")
    def test_without_tools(self):
        said = self.refusal("-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON")
        self.assertIn("the tests need GoogleTest (Debian: libgtest-dev libgmock-dev)", said)
        self.assertIn(CARES, self.refusal("--fresh", "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON"))


if __name__ == "__main__":
    unittest.main()
