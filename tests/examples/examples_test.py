#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The numbered examples print what they promise; the legacy client fetches a site in every form."""

import glob
import os
import re
import unittest

from small_site import SOURCE, example, run, serving

SHIM = os.environ.get("TENDRIL_TEST_SHIM")
TOOL = os.environ.get("TENDRIL_TEST_TOOL")


class Numbered(unittest.TestCase):
    def test_each_prints_what_is_expected(self):
        files = sorted(glob.glob(os.path.join(SOURCE, "examples", "*", "expected.out")))
        self.assertTrue(files)
        for file in files:
            name = os.path.basename(os.path.dirname(file))
            with self.subTest(name), open(file, encoding="utf-8") as expected:
                pattern = re.escape(expected.read()).replace("<seconds>", r"\d+\.\d+")
                done = run(example(name))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r"\A" + pattern + r"\Z")


class LegacyClient(unittest.TestCase):
    def check(self, *command):
        with serving() as site:
            done = run(*command, site)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"\A4 of 4 pages")
            done = run(*command, site + "/broken")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"crawl: {site}/missing: the server says HTTP/1.0 404 Not Found\n")
            done = run(*command, site + "/old")
            self.assertRegex(done.stdout, r"\A2 of 2 pages")
            done = run(*command, site + "/away")
            self.assertEqual(done.stderr, f"crawl: {site}/away: redirected to https://elsewhere.test/, "
                                          "where this crawler does not go\n")
        for nonsense in ("gopher://x/", "http://", "http://host:port/", "http://h:99999/", "http://[::1/"):
            done = run(*command, nonsense)
            self.assertEqual(done.returncode, 2, nonsense)
            self.assertRegex(done.stderr, r"\Ausage: ")

    def test_by_itself(self):
        self.check(example("crawl"))

    @unittest.skipUnless(SHIM, "this build has no shim")
    def test_linked_with_the_shim(self):
        self.check(example("04_legacy_crawler"))

    @unittest.skipUnless(TOOL, "this build has no bin/tendril")
    @unittest.skipIf("address" in os.environ["TENDRIL_TEST_SANITIZE"], "ASan must be the first library")
    def test_under_tendril_run(self):
        self.check(TOOL, "run", "--", example("crawl"))


if __name__ == "__main__":
    unittest.main()
