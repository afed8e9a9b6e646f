#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Doxygen makes a reference of the public headers without a warning, and finds what it should hold."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]

# Says it by its name, as a move constructor does; specialises what is documented; or stands with others
# below one comment in tendril.h.
SELF_EVIDENT = re.compile(r"(Member .* of (class|struct|file) .*|Compound .*< .* >) is not documented")


@unittest.skipUnless(shutil.which("doxygen"), "needs doxygen")
@unittest.skipIf(os.environ["TENDRIL_TEST_SANITIZE"], "the same in each build")
class Reference(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.html = os.path.join(scratch.name, "html")
        self.environment = {**os.environ, "TENDRIL_DOCS": scratch.name, "TENDRIL_VERSION": "1.2.3"}

    def doxygen(self, *settings):
        """Its status and its warnings."""
        settings = "\n".join(["@INCLUDE = docs/Doxyfile", *settings])
        run = subprocess.run(["doxygen", "-"], input=settings, cwd=SOURCE, env=self.environment,
                             capture_output=True, text=True)
        return run.returncode, run.stderr.splitlines()

    def page(self, name):
        with open(os.path.join(self.html, name)) as file:
            return file.read()

    def test_no_warning(self):
        self.assertEqual(self.doxygen(), (0, []))
        self.assertIn("The smallest stack that spawn accepts", self.page("namespacetendril.html"))
        self.assertIn("Waits until the fiber has ended", self.page("tendril_8h.html"))
        self.assertIn("1.2.3", self.page("index.html"))
        self.assertEqual([name for name in os.listdir(self.html) if "v1" in name or "detail" in name], [])

    def test_everything_is_documented(self):
        _, said = self.doxygen("WARN_IF_UNDOCUMENTED = YES", "WARN_AS_ERROR = NO", "SOURCE_BROWSER = NO")
        wrong = [line for line in said if not SELF_EVIDENT.search(line)]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))


if __name__ == "__main__":
    unittest.main()
