#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Code shown in README.md and docs/: a ```cpp or ```c block is either lines of an example, which is
built and run elsewhere, and then `<!-- from PATH -->` stands above it; or it is a whole program, which is
compiled and run here, and prints what the next block of plain ```text says, if one follows at once."""

import glob
import os
import re
import subprocess
import tempfile
import textwrap
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
LIBRARIES = os.path.dirname(os.environ["TENDRIL_TEST_LIBRARY"])
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


class Snippets(unittest.TestCase):
    def test_are_lines_of_examples_or_whole_programs(self):
        seen = 0
        for name, page, found in blocks():
            self.assertEqual(len(found), len(re.findall(r"^ *```(?:cpp|c|c\+\+|C)\b", page, re.M)), name)
            for block in found:
                seen += 1
                line = page.count("\n", 0, block.start()) + 1
                with self.subTest(f"{name}:{line}"):
                    if block["path"]:
                        self.check_is_quoted(block)
                    else:
                        self.check_runs(block)
        self.assertGreater(seen, 8)

    def check_is_quoted(self, block):
        """Whole lines, one after the other; the page may take off their common indentation."""
        lines, shown = read(block["path"]).split("\n"), block["code"].rstrip("\n").split("\n")
        places = (lines[at:at + len(shown)] for at in range(len(lines)))
        self.assertTrue(any(textwrap.dedent("\n".join(place)) == "\n".join(shown) for place in places),
                        f"these are no lines of {block['path']}:\n" + block["code"])

    def check_runs(self, block):
        with tempfile.TemporaryDirectory(prefix="tendril-snippet-") as folder:
            source, program = os.path.join(folder, "snippet." + block["language"]), os.path.join(folder, "program")
            with open(source, "w", encoding="utf-8") as file:
                file.write(block["code"])
            shim = ["-Wl,--no-as-needed", "-ltendril_shim"] if block["language"] == "c" else []
            flags = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
            subprocess.run([*COMPILERS[block["language"]], *WARNINGS, *flags, "-g", "-I",
                            os.path.join(SOURCE, "include"), source, "-o", program, f"-L{LIBRARIES}",
                            *shim, "-ltendril", f"-Wl,-rpath,{LIBRARIES}"], check=True)
            done = subprocess.run([program], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            if block["output"] is not None:
                self.assertEqual(done.stdout, block["output"])


if __name__ == "__main__":
    unittest.main()
