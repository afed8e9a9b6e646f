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
# As what a header is compiled, by whom.
LANGUAGES = {".hpp": [("c++", "c++17", ["g++", "clang++"])],
             ".h": [("c", "c99", ["gcc", "clang"]), ("c++", "c++17", ["g++", "clang++"])]}
FOREIGN = re.compile(r"/boost/|/ares\w*\.h|/openssl/|/sys/epoll\.h|/liburing")
# Names Boost's types, on purpose; and what it alone needs.
BY_ITSELF = {"tendril/real.hpp"}  # brings a score of system headers
GUESTS = {"tendril/boost_fiber.hpp", "tendril/detail/guest.hpp"}

# Declared for its name only: its header is not for users to get.
LIBCS = {"epoll_event"}


def public_headers():
    for folder, _, files in os.walk(INCLUDE):
        for file in sorted(files):
            yield os.path.relpath(os.path.join(folder, file), INCLUDE)


def has_boost_fiber():
    return subprocess.run(["c++", "-x", "c++", "-E", "-include", "boost/fiber/fiber.hpp", "/dev/null"],
                          capture_output=True).returncode == 0


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
                if header == "tendril/boost_fiber.hpp" and not has_boost_fiber():
                    continue
                for language, standard, compilers in LANGUAGES[os.path.splitext(header)[1]]:
                    for compiler in filter(shutil.which, compilers):
                        runs.append(pool.submit(compile_alone, header, compiler, language, standard))
            self.assertTrue(runs, "no header or no compiler")
            wrong = [message for message in (run.result() for run in runs) if message]
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_umbrella_has_them_all(self):
        rule = subprocess.run(["c++", "-std=c++17", "-MM", "-I", INCLUDE,
                               os.path.join(INCLUDE, "tendril", "tendril.hpp")],
                              check=True, capture_output=True, text=True).stdout
        included = {os.path.relpath(path, INCLUDE) for path in rule.replace("\\\n", "").split()[1:]}
        headers = {header for header in public_headers() if header.endswith(".hpp")} - GUESTS - BY_ITSELF
        self.assertEqual(headers, included)


class Names(unittest.TestCase):
    """What a program gets by including all headers, beside what the system headers in them bring."""

    def brought(self, language, standard, ending, what):
        """The lines that `what` makes of a compiler's output with our headers and not without."""
        headers = [header for header in public_headers() if header.endswith(ending) and header not in GUESTS]
        systems = set()
        for header in public_headers():
            if header in headers:
                with open(os.path.join(INCLUDE, header)) as file:
                    systems |= set(re.findall(r"^\s*#\s*include\s+<(?!tendril)(.*)>", file.read(), re.M))
        seen = []
        for names in (sorted(systems), sorted(systems) + headers):
            source = "".join(f"#include <{name}>\n" for name in names)
            seen.append(what(["-x", language, f"-std={standard}", "-I", INCLUDE, "-"], source))
        self.assertTrue(seen[0])
        return sorted(seen[1] - seen[0])

    def output(self, compiler, options, source):
        done = subprocess.run([compiler, *options], input=source, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def macros(self, options, source):
        return set(re.findall(r"#define (\w+)", self.output("cc", ["-dM", "-E", *options], source)))

    def globals(self, options, source):
        """The declarations outside of all namespaces, but those that the compiler makes up."""
        tree = self.output("clang", ["-fsyntax-only", "-Xclang", "-ast-dump", "-fno-color-diagnostics",
                                     *options], source)
        lines = re.findall(r"^[|`]-\w+Decl 0x.*?> \S*(?:line|col|:\d+):\d+ (.*)", tree, re.M)
        return {re.sub(r"^((implicit|referenced|used|struct|class|union|enum) )*", "", line) for line in lines}

    def test_macros_are_ours(self):
        for language in (("c++", "c++17", ".hpp"), ("c", "c99", ".h")):
            names = self.brought(*language, self.macros)
            self.assertIn("TENDRIL_EXPORT", names)
            self.assertEqual([name for name in names if not name.startswith("TENDRIL_")], [])

    @unittest.skipUnless(shutil.which("clang"), "needs clang")
    def test_globals_are_ours(self):
        for language, own in ((("c++", "c++17", ".hpp"), r"tendril( inline)?$"), (("c", "c99", ".h"), r"tendril_")):
            names = [name for name in self.brought(*language, self.globals) if name not in LIBCS]
            self.assertTrue([name for name in names if re.match(own, name)])
            self.assertEqual([name for name in names if not re.match(own, name)], [])


if __name__ == "__main__":
    unittest.main()
