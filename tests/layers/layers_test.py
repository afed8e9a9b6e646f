#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Includes go only down the layers; each source is built by somebody; each file names its licence."""

import os
import re
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]

# What a folder may include, besides itself and what those may include. lib/README.md says why.
BELOW = {
    "lib/base": [],
    "lib/sys": ["lib/base"],
    "lib/reactor": ["lib/sys"],
    "lib/fiber": ["lib/sys"],
    "lib/hub": ["lib/fiber", "lib/reactor"],
    "lib/sync": ["lib/hub"],
    "lib/offload": ["lib/hub"],
    "lib/io": ["lib/sync", "lib/offload"],
    "lib/dns": ["lib/io", "lib/offload"],
    "lib/stdio": ["lib/io"],
    "lib/process": ["lib/io", "lib/offload"],
    "lib/net": ["lib/dns"],
    "lib/runtime": ["lib/net", "shims/ops"],
    "include/tendril": [],
    "lib/api": ["lib/runtime", "include/tendril"],
    "shims": [],
    "shims/entry": ["shims"],
    "shims/ops": ["lib/dns", "lib/process", "lib/stdio", "shims", "include/tendril"],
    "tools": ["shims"],
}
# Public headers that every layer may include: words without behaviour, and what a hub is handed.
VOCABULARY = ("tendril/export.hpp", "tendril/version.hpp", "tendril/error.hpp", "tendril/thread_state.hpp",
              "tendril/detail/")
# Who may see a foreign interface.
FOREIGN = {
    r"boost/": {"lib/fiber"},
    r"ares": {"lib/dns"},
    r"(libelf|gelf|capstone/|nlohmann/)": {"tools"},
    r"sys/epoll\.h": {"lib/sys", "lib/reactor", "lib/io", "shims", "shims/entry", "shims/ops"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
CODE = (".cpp", ".hpp", ".c", ".h", ".def")
LICENSED = CODE + (".py", ".cmake", ".txt", ".build", ".map", ".sh", ".S")


def files(*folders):
    """The paths below the folders, or in the whole tree, from its top; no build tree, no .git."""
    found = []
    for top in folders or [""]:
        for where, below, names in os.walk(os.path.join(SOURCE, top)):
            below[:] = [name for name in below if name not in ("build", ".git", "__pycache__")]
            found += [os.path.relpath(os.path.join(where, name), SOURCE) for name in names]
    return sorted(found)


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def reachable(folder):
    seen, todo = set(), [folder]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += BELOW[here]
    return seen


def included_folder(quote, name):
    """The layer that an include names, None for a header that is not ours."""
    if name.startswith("tendril/") or name == "tendril.h":
        return "include/tendril"
    if quote == '"':
        top = os.path.dirname(name)
        return top if top.split("/")[0] in ("shims", "tools") else "lib/" + top
    return None


def wrong_includes(path):
    folder = os.path.dirname(path)
    folder = "include/tendril" if path.startswith("include/") else folder
    if folder not in BELOW:
        return [f"{path}: {folder} is not in the table of layers"]
    wrong = []
    for quote, name in INCLUDE.findall(read(path)):
        target = included_folder(quote, name)
        if target and not name.startswith(VOCABULARY) and target not in reachable(folder):
            wrong.append(f"{path}: {folder} may not include {target} ({name})")
        for pattern, allowed in FOREIGN.items():
            if target is None and re.match(pattern, name) and folder not in allowed:
                wrong.append(f"{path}: {folder} may not include <{name}>")
    return wrong


def build_files(path):
    """What may build a source that is in no list: a CMakeLists.txt above it, a helper in cmake/, or
    a test beside its folder, which compiles it in several ways."""
    yield from (read(helper) for helper in files("cmake") if helper.endswith(".cmake"))
    folder = os.path.dirname(path)
    while folder:
        build = os.path.join(folder, "CMakeLists.txt")
        if os.path.exists(os.path.join(SOURCE, build)):
            yield read(build)
        yield from (read(path) for path in files(os.path.dirname(folder) or "tests")
                    if os.path.dirname(path) == os.path.dirname(folder) and path.endswith("_test.py"))
        folder = os.path.dirname(folder)


class Tree(unittest.TestCase):
    def test_includes_go_down(self):
        paths = [path for path in files("lib", "include", "shims", "tools") if path.endswith(CODE)]
        wrong = [message for path in paths for message in wrong_includes(path)
                 if os.path.basename(path) != "boost_fiber.hpp"]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_every_source_is_built(self):
        listed = {line.split()[0] for path in files() if os.path.basename(path) == "sources.txt"
                  for line in read(path).splitlines() if line and not line.startswith("#")}
        wrong = [path for path in files()
                 if (path.endswith((".cpp", ".c")) or path.endswith("_test.py")) and path not in listed
                 and not any(os.path.basename(path) in build for build in build_files(path))]
        self.assertEqual(wrong, [], "in no sources.txt")

    def test_every_file_names_its_licence(self):
        wrong = [path for path in files()
                 if (path.endswith(LICENSED) or path in ("dev", ".ci/run"))
                 and "SPDX-License-Identifier: BSL-1.0" not in "".join(read(path).splitlines()[:2])]
        self.assertEqual(wrong, [], "no SPDX line at the top")


if __name__ == "__main__":
    unittest.main()
