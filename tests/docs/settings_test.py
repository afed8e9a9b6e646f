#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""docs/settings.md names the settings that the sources read, and their valid values; each takes those,
and answers nonsense by saying what is valid."""

import glob
import os
import re
import subprocess
import tempfile
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
BUILD = os.environ["TENDRIL_TEST_BUILD_DIR"]
SHIM = os.environ.get("TENDRIL_TEST_SHIM")


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


PAGE = read("docs", "settings.md")
SECTIONS = dict(re.findall(r"^### (TENDRIL_\w+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))

# The programs that read a setting (CMake puts them into bin, Meson beside their sources' images).
HUB, LOOKUP, SHIMMED, DEV = "01_hello", "06_http", "/bin/true", "dev"
# Who reads it; nonsense, beside what the page quotes; what its answer names; the status that it ends with.
READERS = {
    "TENDRIL_ENGAGE": (SHIMMED, ["maybe", "MAIN", "main,all"], ["main", "all", "none"], 2),
    "TENDRIL_SHIM": (SHIMMED, ["tme", "socket,tme", ","], ["socket", "time", "poll", "dns", "file", "process",
                                                           "signal", "stdio", "sync", "thread"], 2),
    "TENDRIL_DENY": (SHIMMED, ["/lib/libfoo.so", "libfoo.so,", ","], ["names of files", "commas"], 2),
    "TENDRIL_STATS": (SHIMMED, ["/no/where", "/"], ["file that can be written"], 0),
    "TENDRIL_DEBUG": (SHIMMED, ["loud", "2", "yes"], ["0", "1"], 2),
    "TENDRIL_BLOCKED": (HUB, ["soon", "-1", "1s", "2147483648"], ["0", "2147483647"], 0),
    "TENDRIL_GUARD": (HUB, ["steel", "kernel "], ["kernel", "mprotect", "canary"], 0),
    "TENDRIL_EXIT_GRACE_MS": (HUB, ["soon", "-1", "1s", "2147483648"], ["0", "2147483647"], 0),
    "TENDRIL_RESOLVER": (LOOKUP, ["pigeon", "Ares"], ["ares", "thread", "block"], 1),
    # 127.0.0.1:9 refuses at once: nobody else is asked.
    "TENDRIL_NAMESERVERS": (LOOKUP, ["here,127.0.0.1:9", "127.0.0.1:0,127.0.0.1:9", "::1:x,127.0.0.1:9"],
                            ["ADDRESS", "V4:PORT", "[V6]:PORT"], 1),
    "TENDRIL_JOBS": (DEV, ["many", "0", "-1", "1.5"], ["1 or more"], 1),
}


def valid_values(name):
    return re.findall("`([^`]+)`", re.search(r"^Valid: (.*)$", SECTIONS[name], re.M)[1])


def example(name):
    paths = [os.path.join(BUILD, folder, name) for folder in ("bin", "examples")]
    return next(path for path in paths if os.path.exists(path))


def run(name, value, folder):
    """Status and stderr of the program that reads the setting."""
    reader = READERS[name][0]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TENDRIL_", "LD_"))}
    environment["TENDRIL_NAMESERVERS"] = "127.0.0.1:9"
    if reader == SHIMMED:
        command, environment["LD_PRELOAD"] = ["/bin/true"], SHIM
    elif reader == DEV:
        command = [os.path.join(SOURCE, "dev"), "help"]
    else:
        command = [example(reader)] + (["nobody.tendril.test:80"] if reader == LOOKUP else [])
    environment[name] = value
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


class Settings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tendril-settings-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_page_and_sources_name_the_same(self):
        ours, others = set(re.findall(r"\$\{(TENDRIL_\w+):-", read("dev"))), set()
        for folder in ("lib", "shims", "tools", "include"):
            for path in glob.glob(os.path.join(SOURCE, folder, "**", "*.[ch]*"), recursive=True):
                text = read(path)
                ours |= set(re.findall(r'"(TENDRIL_[A-Z_]+)"', text))
                others |= set(re.findall(r'getenv\("([A-Z_]+)"\)', text))
        self.assertEqual(sorted(SECTIONS), sorted(ours))
        self.assertEqual(set(re.findall(r"^\| \[`(TENDRIL_\w+)`\]", PAGE, re.M)), ours)
        listed = re.findall("`([A-Z_]+)`", PAGE.split("\n## Of others")[1].split("\n\nOptions")[0])
        self.assertEqual(sorted(listed), sorted(others - ours))
        self.assertEqual(sorted(READERS), sorted(ours))

    def each(self):
        for name in READERS:
            if SHIM or READERS[name][0] != SHIMMED:
                yield name

    def test_valid_values_are_taken(self):
        for name in self.each():
            empty = [] if name == "TENDRIL_NAMESERVERS" else [""]  # would ask this machine's servers
            for value in valid_values(name) + empty:
                with self.subTest(name, value=value):
                    status, errors = run(name, value.replace("/tmp", self.folder), self.folder)
                    self.assertEqual(status, 1 if READERS[name][0] == LOOKUP else 0, errors)
                    self.assertNotIn("valid", errors)
                    self.assertNotIn("TENDRIL_", errors)

    def test_nonsense_is_answered_by_what_is_valid(self):
        for name in self.each():
            _, nonsense, named, expected = READERS[name]
            for value in nonsense:
                with self.subTest(name, value=value):
                    status, errors = run(name, value, self.folder)
                    self.assertEqual(status, expected, errors)
                    self.assertIn(name, errors)
                    self.assertIn("valid", errors)
                    for word in named:
                        self.assertIn(word, errors.split("valid", 1)[1])

    def test_the_answers_are_those_of_the_page(self):
        for name in self.each():
            with self.subTest(name):
                quoted = " ".join(re.search(r"^Nonsense[^`]*`([^`]+)`", SECTIONS[name], re.M)[1].split())
                value = re.search(name + r"=(\S+)|'(.*?)'|: (/\S+):|: (\w+) is not", quoted)
                value = next(group for group in value.groups() if group)
                value += ",127.0.0.1:9" if name == "TENDRIL_NAMESERVERS" else ""
                self.assertIn(quoted, run(name, value, self.folder)[1])


if __name__ == "__main__":
    unittest.main()
