#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tendril as a part of another project, built by that: CMake's FetchContent and add_subdirectory from
the CMake build, Meson's subproject from the Meson build. It installs and sets nothing there."""

import os
import shutil
import tempfile
import unittest

from workshop import (BUILT_BY_CMAKE, CONSUMERS, PROGRAMS, SANITIZED, SOURCE, check_programs,
                      files_below, run)


@unittest.skipIf(SANITIZED, "built without the sanitizer")
class Subproject(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name
        self.build = os.path.join(self.scratch, "build")
        self.prefix = os.path.join(self.scratch, "prefix")

    def configure(self, *options):
        # Optimising would take longer, and is tested elsewhere.
        run("cmake", "-G", "Ninja", "-S", os.path.join(CONSUMERS, "cmake_subproject"), "-B", self.build,
            "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O0", *options)

    def check_cmake(self):
        run("cmake", "--build", self.build)
        check_programs(self, os.path.join(self.build, "programs"), PROGRAMS)
        self.assertIn("Total Tests: 0", run("ctest", "-N", "--test-dir", self.build))
        below = os.path.join(self.build, "_deps", "tendril-build")
        self.assertFalse(os.path.exists(os.path.join(below, "tendril")), "the tool, which nobody wants")

    @unittest.skipUnless(BUILT_BY_CMAKE, "from the CMake build")
    def test_cmake(self):
        self.configure(f"-DFETCHCONTENT_SOURCE_DIR_TENDRIL={SOURCE}")
        self.check_cmake()
        run("cmake", "--install", self.build, "--prefix", self.prefix)
        self.assertEqual(files_below(self.prefix), {"bin/cpp_static_plain"})

        # In the same place, so that the library need not be compiled again.
        shutil.rmtree(os.path.join(self.build, "programs"))
        self.configure(f"-DTENDRIL_FOLDER={SOURCE}")
        self.check_cmake()

        self.configure("-DTENDRIL_INSTALL=ON")
        run("cmake", "--build", self.build)
        run("cmake", "--install", self.build, "--prefix", self.prefix)
        self.assertLessEqual({"bin/cpp_static_plain", "bin/tendril", "lib/libtendril.so",
                              "lib/pkgconfig/tendril.pc"}, files_below(self.prefix))

    @unittest.skipIf(BUILT_BY_CMAKE, "from the Meson build")
    def test_meson(self):
        project = os.path.join(self.scratch, "consumers")
        shutil.copytree(CONSUMERS, project)
        os.mkdir(os.path.join(project, "meson", "subprojects"))
        os.symlink(SOURCE, os.path.join(project, "meson", "subprojects", "tendril"))
        run("meson", "setup", "--wrap-mode=forcefallback", "--buildtype=plain", "--prefix=/usr", self.build,
            os.path.join(project, "meson"))
        run("ninja", "-C", self.build)
        check_programs(self, self.build, PROGRAMS)
        self.assertIn("No tests defined", run("meson", "test", "-C", self.build))
        run("meson", "install", "-C", self.build, "--destdir", self.prefix)
        self.assertEqual(files_below(self.prefix), {"usr/bin/c_shared_plain", "usr/bin/cpp_shared_plain",
                                                    "usr/bin/c_static_plain", "usr/bin/cpp_static_plain"})


if __name__ == "__main__":
    unittest.main()
