# SPDX-License-Identifier: BSL-1.0
"""What the packaging tests share: commands that must succeed, an install tree, the programs of users."""

import os
import shutil
import subprocess

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
BUILD = os.environ["TENDRIL_TEST_BUILD_DIR"]
BUILT_BY_CMAKE = os.path.exists(os.path.join(BUILD, "CMakeCache.txt"))
SANITIZED = bool(os.environ["TENDRIL_TEST_SANITIZE"])
CONSUMERS = os.path.join(SOURCE, "tests", "packaging", "consumers")

with open(os.path.join(SOURCE, "lib", "VERSION")) as file:
    VERSION = file.read().strip()

HAS_BOOST_FIBER = subprocess.run(
    ["c++", "-x", "c++", "-E", "-include", "boost/fiber/fiber.hpp", "/dev/null"],
    capture_output=True).returncode == 0

PROGRAMS = [f"{language}_{linkage}_{shim}" for language in ("c", "cpp")
            for linkage in ("shared", "static") for shim in ("plain", "shim")]


def run(*command, status=0, cwd=None, **environment):
    """Returns what the command says: its output, or its errors where it has to fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, cwd=cwd,
                          env={**os.environ, **environment})
    if (done.returncode != 0) != (status != 0):
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr if status else done.stdout


def files_below(top):
    return {os.path.relpath(os.path.join(where, name), top)
            for where, _, names in os.walk(top) for name in names}


def install(prefix):
    """Both builds install for a prefix that is not the one used later."""
    if BUILT_BY_CMAKE:
        run("cmake", "--install", BUILD, "--prefix", prefix)
        return
    staged = prefix + ".staged"
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", staged)
    shutil.move(os.path.join(staged, "usr", "local"), prefix)


def needed(program):
    """The libraries that a program or library asks the dynamic linker for."""
    lines = run("readelf", "-d", program).splitlines()
    return {line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line}


def check_programs(test, folder, names, library_path=""):
    """Runs what a consumer built, each to tell what it was linked with."""
    for name in names:
        language, linkage, shim = name.split("_")
        program = os.path.join(folder, name)
        with test.subTest(name):
            said = run(program, LD_LIBRARY_PATH=library_path).split()
            test.assertEqual(said, [VERSION, shim, {"c": "c", "cpp": "c++"}[language]])
            ours = {library.split(".")[0] for library in needed(program) if "tendril" in library}
            want = {"libtendril", "libtendril_shim"} if shim == "shim" else {"libtendril"}
            test.assertEqual(ours, want if linkage == "shared" else set())
