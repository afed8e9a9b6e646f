#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What is installed is complete, can be moved, and serves users' builds: CMake, Meson, make, one line."""

import os
import shutil
import tempfile
import unittest

from workshop import (CONSUMERS, HAS_BOOST_FIBER, PROGRAMS, SANITIZED, SOURCE, VERSION, check_programs,
                      files_below, install, run)


@unittest.skipIf(SANITIZED, "a user's program would need the sanitizer too")
class InstallTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = scratch.name
        cls.prefix = os.path.join(cls.scratch, "moved here")
        cls.libdir = os.path.join(cls.prefix, "lib")
        cls.pkg_config = {"PKG_CONFIG_PATH": os.path.join(cls.libdir, "pkgconfig")}
        first = os.path.join(cls.scratch, "first")
        install(first)
        os.rename(first, cls.prefix)

    def test_is_complete(self):
        major = VERSION.split(".")[0]
        want = {"bin/tendril", "share/man/man1/tendril.1"}
        want |= {"lib/cmake/tendril/" + name for name in
                 ("tendrilConfig.cmake", "tendrilConfigVersion.cmake", "dependencies.cmake")}
        want |= {"include/" + name for name in files_below(os.path.join(SOURCE, "include"))}
        for library in ["tendril", "tendril_shim"]:
            want |= {f"lib/lib{library}.{end}" for end in ("a", "so", f"so.{major}", f"so.{VERSION}")}
            want.add(f"lib/pkgconfig/{library}.pc")
        want.add("lib/pkgconfig/tendril_boost_fiber.pc")
        self.assertEqual(sorted(files_below(self.prefix)), sorted(want))

    def built_by_cmake(self, name):
        build = os.path.join(self.scratch, name)
        run("cmake", "-G", "Ninja", "-S", os.path.join(CONSUMERS, name), "-B", build,
            f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        return build

    def test_cmake_project(self):
        check_programs(self, self.built_by_cmake("find_package"), PROGRAMS)

    def test_cmake_project_in_c(self):
        build = self.built_by_cmake("find_package_c")
        check_programs(self, build, ["c_shared_plain", "c_shared_shim"])

    def find_package(self, arguments, status=0, **environment):
        """What CMake says to find_package(tendril ARGUMENTS)."""
        project = os.path.join(self.scratch, "find")
        shutil.rmtree(project, ignore_errors=True)
        os.mkdir(project)
        with open(os.path.join(project, "CMakeLists.txt"), "w") as file:
            file.write("cmake_minimum_required(VERSION 3.25)\nproject(find LANGUAGES C CXX)\n"
                       f"find_package(tendril {arguments})\nmessage(STATUS found=${{tendril_FOUND}})\n")
        said = run("cmake", "-G", "Ninja", "-S", project, "-B", os.path.join(project, "build"),
                   f"-DCMAKE_PREFIX_PATH={self.prefix}", status=status,
                   **environment)
        return " ".join(said.split())

    def test_wrong_version(self):
        said = self.find_package("99 REQUIRED", status=1)
        self.assertIn('compatible with requested version "99"', said)
        self.assertIn(f"tendrilConfig.cmake, version: {VERSION}", said)
        self.assertIn("found=0", self.find_package("99 QUIET"))
        major, minor, patch = map(int, VERSION.split("."))
        self.find_package(f"{major}.{minor}.{patch + 1} REQUIRED", status=1)
        self.assertIn("found=1", self.find_package(f"{major}.{minor}.{patch} EXACT REQUIRED"))

    def test_components(self):
        self.assertIn("tendril has no component tls; it has shim, static and boost_fiber",
                      self.find_package("REQUIRED COMPONENTS shim tls", status=1))
        self.assertIn("found=0", self.find_package("QUIET COMPONENTS tls"))
        self.assertIn("found=1", self.find_package("REQUIRED COMPONENTS shim OPTIONAL_COMPONENTS tls"))

    def test_static_without_cares(self):
        nowhere = {"PKG_CONFIG_LIBDIR": os.path.join(self.scratch, "nowhere")}
        self.assertIn("tendril needs c-ares 1.18 or newer (Debian: libc-ares-dev pkg-config)",
                      self.find_package("REQUIRED COMPONENTS static", status=1, **nowhere))
        self.assertIn("found=0", self.find_package("QUIET COMPONENTS static", **nowhere))
        self.assertIn("found=1", self.find_package("REQUIRED", **nowhere))

    def test_meson_project(self):
        build = os.path.join(self.scratch, "meson")
        run("meson", "setup", "--wrap-mode=nofallback", build, os.path.join(CONSUMERS, "meson"),
            **self.pkg_config)
        run("ninja", "-C", build)
        check_programs(self, build, PROGRAMS, self.libdir)

    def test_makefile(self):
        folder = os.path.join(self.scratch, "consumers")
        shutil.copytree(CONSUMERS, folder)
        run("make", "-j2", "-C", os.path.join(folder, "makefile"), **self.pkg_config)
        check_programs(self, os.path.join(folder, "makefile"), PROGRAMS, self.libdir)

    def one_line(self, name, words):
        """Compiles by what a user types."""
        # The shell would split a path with a space in it.
        prefix = os.path.join(self.scratch, "link")
        if not os.path.exists(prefix):
            os.symlink(self.prefix, prefix)
        program = {"c": "program.c", "cpp": "program.cpp"}[name.split("_")[0]]
        run("sh", "-c", f"{words.format(program)} -o $0/{name}", self.scratch, cwd=CONSUMERS,
            PKG_CONFIG_PATH=os.path.join(prefix, "lib", "pkgconfig"))
        check_programs(self, self.scratch, [name], self.libdir)

    def test_one_line(self):
        self.one_line("cpp_shared_plain", "c++ -std=c++17 {} $(pkg-config --cflags --libs tendril)")
        self.one_line("c_shared_shim", "cc -std=c99 {} $(pkg-config --cflags --libs tendril tendril_shim)")
        # glibc warns of what a static program cannot look up.
        self.one_line("cpp_static_plain",
                      "c++ -std=c++17 -static {} $(pkg-config --static --cflags --libs tendril)")

    @unittest.skipUnless(HAS_BOOST_FIBER, "Boost.Fiber is not installed (Debian: libboost-fiber-dev)")
    def test_boost_fiber(self):
        program = os.path.join(self.built_by_cmake("boost_fiber"), "guest")
        self.assertEqual(run(program), "42\n")
        prefix = os.path.join(self.scratch, "guest_link")
        os.symlink(self.prefix, prefix)
        run("sh", "-c", "c++ -std=c++17 boost_fiber/guest.cpp"
            f" $(pkg-config --cflags --libs tendril_boost_fiber) -o {self.scratch}/guest", cwd=CONSUMERS,
            PKG_CONFIG_PATH=os.path.join(prefix, "lib", "pkgconfig"))
        self.assertEqual(run(os.path.join(self.scratch, "guest"), LD_LIBRARY_PATH=self.libdir), "42\n")

    def test_each_linker(self):
        archives = ("$(pkg-config --static --libs tendril tendril_shim"
                    " | sed 's/-l\\(tendril[a-z_]*\\)/-l:lib\\1.a/g')")
        for linker in ("bfd", "gold", "lld"):
            if shutil.which("ld." + linker):
                compiler = f"c++ -std=c++17 -fuse-ld={linker} {{}} $(pkg-config --cflags tendril)"
                self.one_line("cpp_shared_shim", f"{compiler} $(pkg-config --libs tendril tendril_shim)")
                self.one_line("cpp_static_shim", f"{compiler} {archives}")


if __name__ == "__main__":
    unittest.main()
