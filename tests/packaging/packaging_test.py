#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What is installed is complete, can be moved, and serves a user's CMake and pkg-config alike."""

import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
BUILD = os.environ["TENDRIL_TEST_BUILD_DIR"]
SHIM = "TENDRIL_TEST_SHIM" in os.environ
TOOL = "TENDRIL_TEST_TOOL" in os.environ
CONSUMER = os.path.join(SOURCE, "tests", "packaging", "consumer")


def run(*command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise AssertionError(f"{command}\n{done.stdout}{done.stderr}")
    return done.stdout


def files_below(top):
    return {os.path.relpath(os.path.join(where, name), top)
            for where, _, names in os.walk(top) for name in names}


def install(prefix):
    """Both builds install for a prefix that is not the one used later."""
    if os.path.exists(os.path.join(BUILD, "CMakeCache.txt")):
        run("cmake", "--install", BUILD, "--prefix", prefix)
        return
    staged = prefix + ".staged"
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", staged)
    shutil.move(os.path.join(staged, "usr", "local"), prefix)


@unittest.skipIf(os.environ["TENDRIL_TEST_SANITIZE"], "a user's program would need the sanitizer too")
class InstallTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.prefix = os.path.join(cls.scratch.name, "moved here")
        first = os.path.join(cls.scratch.name, "first")
        install(first)
        os.rename(first, cls.prefix)
        with open(os.path.join(SOURCE, "lib", "VERSION")) as file:
            cls.version = file.read().strip()

    def test_is_complete(self):
        major = self.version.split(".")[0]
        want = {"lib/cmake/tendril/" + name for name in
                ("tendrilConfig.cmake", "tendrilConfigVersion.cmake", "dependencies.cmake")}
        want |= {"include/" + name for name in files_below(os.path.join(SOURCE, "include"))}
        for library in ["tendril"] + ["tendril_shim"] * SHIM:
            want |= {f"lib/lib{library}.{end}" for end in ("a", "so", f"so.{major}", f"so.{self.version}")}
            want.add(f"lib/pkgconfig/{library}.pc")
        want |= {"bin/tendril"} if TOOL else set()
        self.assertEqual(sorted(files_below(self.prefix)), sorted(want))

    def test_cmake_user(self):
        build = os.path.join(self.scratch.name, "cmake")
        run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        for name in ["shared", "static"]:
            self.assertEqual(run(os.path.join(build, name)).split(), [self.version, "plain"], name)
        for name in ["shared_shim", "static_shim"] if SHIM else []:
            self.assertEqual(run(os.path.join(build, name)).split(), [self.version, "shim"], name)

    def pkg_config(self, *question):
        flags = run("pkg-config", *question, PKG_CONFIG_PATH=os.path.join(self.prefix, "lib/pkgconfig"))
        return run("bash", "-c", f"printf '%s\\n' {flags}").splitlines()

    def build_and_run(self, name, *flags):
        program = os.path.join(self.scratch.name, name)
        run("c++", "-std=c++17", os.path.join(CONSUMER, "consumer.cpp"), "-o", program, *flags)
        return run(program, LD_LIBRARY_PATH=os.path.join(self.prefix, "lib")).split()

    def test_pkg_config_user(self):
        flags = self.pkg_config("--cflags", "--libs", "tendril")
        self.assertEqual(self.build_and_run("plain", *flags), [self.version, "plain"])

    @unittest.skipUnless(SHIM, "this build has no shim")
    def test_pkg_config_user_of_the_shim(self):
        flags = self.pkg_config("--cflags", "--libs", "tendril_shim", "tendril")
        self.assertEqual(self.build_and_run("shim", *flags), [self.version, "shim"])
        flags = (self.pkg_config("--cflags", "--libs", "tendril")
                 + self.pkg_config("--variable=whole_archive", "tendril_shim"))
        self.assertEqual(self.build_and_run("whole", *flags), [self.version, "shim"])


if __name__ == "__main__":
    unittest.main()
