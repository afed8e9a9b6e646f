#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Code shown in README.md and docs/: a ```cpp or ```c block is either lines of an example, which is
built and run elsewhere, and then `<!-- from PATH -->` stands above it; or it is a whole program, which is
compiled and run here, and prints what the next block of plain ```text says, if one follows at once."""

import concurrent.futures
import glob
import os
import re
import subprocess
import tempfile
import textwrap
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
LIBRARIES = os.path.dirname(os.environ["TENDRIL_TEST_LIBRARY"])
SHIM = os.environ.get("TENDRIL_TEST_SHIM")
SANITIZE = os.environ["TENDRIL_TEST_SANITIZE"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
COMPILERS = {"cpp": ["c++", "-std=c++17"], "c": ["cc", "-std=c99", "-D_GNU_SOURCE"]}
BLOCK = re.compile(r"(?:^<!-- from (?P<path>\S+) -->\n)?^```(?P<language>cpp|c)\n(?P<code>.*?)^```$"
                   r"(?:\n\n```text\n(?P<output>.*?)^```$)?", re.M | re.S)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def blocks():
    for path in [os.path.join(SOURCE, "README.md"), *sorted(glob.glob(os.path.join(SOURCE, "docs", "*.md")))]:
        page = read(path)
        found = list(BLOCK.finditer(page))
        yield os.path.relpath(path, SOURCE), page, found


def build(block, folder):
    """Compiles a whole program; returns it, and what the compiler has against it."""
    path = os.path.join(folder, str(block.start()) + "." + block["language"])
    with open(path, "w", encoding="utf-8") as file:
        file.write(block["code"])
    shim = ["-Wl,--no-as-needed", "-ltendril_shim"] if block["language"] == "c" else []
    flags = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
    done = subprocess.run([*COMPILERS[block["language"]], *WARNINGS, *flags, "-I",
                           os.path.join(SOURCE, "include"), path, "-o", path + ".out", f"-L{LIBRARIES}",
                           *shim, "-ltendril", f"-Wl,-rpath,{LIBRARIES}"], capture_output=True, text=True)
    return path + ".out", done.stderr


class Snippets(unittest.TestCase):
    def test_are_lines_of_examples(self):
        for name, page, found in blocks():
            self.assertEqual(len(found), len(re.findall(r"^ *```(?:cpp|c|c\+\+|C)\b", page, re.M)), name)
            for block in found:
                if block["path"]:
                    with self.subTest(name):
                        self.check_is_quoted(block)

    def test_or_whole_programs_that_do_what_they_say(self):
        programs = [(name, block) for name, _, found in blocks() for block in found if not block["path"]
                    if SHIM or block["language"] == "cpp"]
        self.assertGreater(len(programs), 4)
        with tempfile.TemporaryDirectory(prefix="tendril-snippets-") as top, \
                concurrent.futures.ThreadPoolExecutor(2) as pool:
            folders = [tempfile.mkdtemp(dir=top) for _ in programs]
            built = pool.map(build, (block for _, block in programs), folders)
            for (name, block), (program, errors) in zip(programs, built):
                with self.subTest(name + ": " + block["code"]):
                    self.assertEqual(errors, "")
                    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    if block["output"] is not None:
                        self.assertEqual(done.stdout, block["output"])

    def test_what_is_said_to_be_uncovered_is(self):
        section = read("docs", "porting.md").split("## 7. What is not covered")[1].split("- Programs that make")[0]
        names = set(re.findall(r"`([a-z_]+)`", section))
        covered = set(re.findall(r"^TENDRIL_\w+\((\w+),", read("shims", "symbols.def"), re.M))
        self.assertIn("pthread_mutex_lock", names)
        self.assertIn("getaddrinfo", covered)
        self.assertEqual(names & covered, set())

    def check_is_quoted(self, block):
        """Whole lines, one after the other; the page may take off their common indentation."""
        lines, shown = read(block["path"]).split("\n"), block["code"].rstrip("\n").split("\n")
        places = (lines[at:at + len(shown)] for at in range(len(lines)))
        self.assertTrue(any(textwrap.dedent("\n".join(place)) == "\n".join(shown) for place in places),
                        f"these are no lines of {block['path']}:\n" + block["code"])


if __name__ == "__main__":
    unittest.main()
