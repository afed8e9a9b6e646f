#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Each public header compiles alone, as old user code would include it, and brings in only its own."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile
import unittest

INCLUDE = os.path.join(os.environ["TENDRIL_TEST_SOURCE_DIR"], "include")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
LANGUAGES = {".hpp": ("c++", "c++17", ["g++", "clang++"]), ".h": ("c", "c99", ["gcc", "clang"])}
FOREIGN = re.compile(r"/boost/|/ares\w*\.h|/openssl/|/sys/epoll\.h|/liburing")
GUESTS = {"tendril/boost_fiber.hpp"}  # names Boost's types, on purpose


def public_headers():
    for folder, _, files in os.walk(INCLUDE):
        for file in sorted(files):
            yield os.path.relpath(os.path.join(folder, file), INCLUDE)


def compile_alone(header, compiler, language, standard):
    """Returns what is wrong with it: the compiler's message, or the foreign headers it includes."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as source, tempfile.NamedTemporaryFile() as deps:
        # Twice: it must bear being included again.
        source.write(f"#include <{header}>\n#include <{header}>\nextern int anything;\n")
        source.flush()
        command = [compiler, "-x", language, f"-std={standard}", *WARNINGS, "-I", INCLUDE,
                   "-fsyntax-only", "-MD", "-MF", deps.name, source.name]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            return f"{compiler}: {run.stderr}"
        with open(deps.name) as file:
            foreign = [path for path in file.read().split() if FOREIGN.search(path)]
        return f"{compiler}: {header} includes {foreign}" if foreign and header not in GUESTS else ""


class PublicHeaders(unittest.TestCase):
    def test_each_compiles_alone(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = []
            for header in public_headers():
                language, standard, compilers = LANGUAGES[os.path.splitext(header)[1]]
                for compiler in filter(shutil.which, compilers):
                    runs.append(pool.submit(compile_alone, header, compiler, language, standard))
            self.assertTrue(runs, "no header or no compiler")
            wrong = [message for message in (run.result() for run in runs) if message]
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_macros_carry_the_prefix(self):
        for header in public_headers():
            with open(os.path.join(INCLUDE, header)) as file:
                defined = re.findall(r"^\s*#\s*define\s+(\w+)", file.read(), re.M)
            self.assertEqual([name for name in defined if not name.startswith("TENDRIL_")], [], header)


if __name__ == "__main__":
    unittest.main()
