#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Every link in a *.md leads to a file of the tree, and to a heading in it, if it names one."""

import os
import re
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
LINK = re.compile(r"\[[^\]\[]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.M)


def pages():
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = [name for name in folders if name != "build" and not name.startswith(".")]
        for file in files:
            if file.endswith(".md"):
                yield os.path.join(folder, file)


def prose(path):
    """Without code, where brackets mean something else."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^```.*?^```", "", file.read(), flags=re.M | re.S)
    return text, re.sub(r"`[^`\n]*`(?!\])", "", text)


def anchors(path):
    """What headings are called in links: as GitHub does it."""
    headings = re.findall(r"^#+ +(.*?) *#*$", prose(path)[0], re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Links(unittest.TestCase):
    def test_lead_somewhere(self):
        broken, seen = [], 0
        for page in pages():
            for match in LINK.finditer(prose(page)[1]):
                link = match[1] or match[2]
                if re.match(r"[a-z]+:", link):
                    continue
                seen += 1
                path, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                if not os.path.exists(target) or os.path.relpath(target, SOURCE).startswith(".."):
                    broken.append(f"{os.path.relpath(page, SOURCE)}: {link}: no such file")
                elif anchor and anchor not in anchors(target):
                    broken.append(f"{os.path.relpath(page, SOURCE)}: {link}: no such heading")
        self.assertEqual(broken, [])
        self.assertGreater(seen, 10)


if __name__ == "__main__":
    unittest.main()
