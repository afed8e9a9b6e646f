#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""README's program is the one in examples/00_readme, which is built and run; its paths exist."""

import os
import re
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


class Readme(unittest.TestCase):
    def test_its_program_is_the_one_that_runs(self):
        shown = re.search(r"```cpp\n(.*?)```", read("README.md"), re.S)[1]
        built = "".join(line for line in read("examples", "00_readme", "main.cpp").splitlines(True)
                        if not line.startswith("//"))
        self.assertEqual(shown, built)

    def test_its_links_lead_somewhere(self):
        links = re.findall(r"\]\(([^):#]+)\)", read("README.md"))
        self.assertTrue(links)
        self.assertEqual([link for link in links if not os.path.exists(os.path.join(SOURCE, link))], [])

    def test_its_map_names_every_folder(self):
        table = read("README.md").split("## Where things are")[1]
        folders = [name for name in os.listdir(SOURCE)
                   if os.path.isdir(os.path.join(SOURCE, name)) and name[0] != "." and name != "build"]
        self.assertEqual([name for name in folders if f"`{name}/" not in table and name != "cmake"], [])


if __name__ == "__main__":
    unittest.main()
