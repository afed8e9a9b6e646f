#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The demo: both passes fetch all pages, on one OS thread; its last line; bad input."""

import os
import pty
import re
import socket
import subprocess
import unittest

from small_site import example, run, serving

LAST_LINE = re.compile(r"^demo: (\d+) pages, sequential (\d+\.\d+) s, concurrent (\d+\.\d+) s, "
                       r"speed-up (\d+\.\d+), OS threads (\d+)$")
ROW = re.compile(r"^(one after the other|in fibers) +(\d+) +\d+\.\d+ +(\d+) +(\d+\.\d+) MiB +\d+\.\d+x$", re.M)


class Demo(unittest.TestCase):
    def check(self, output, pages):
        last = LAST_LINE.match(output.splitlines()[-1])
        self.assertTrue(last, output)
        self.assertEqual((last[1], last[5]), (str(pages), "1"))
        rows = ROW.findall(output)
        self.assertEqual([row[:3] for row in rows],
                         [("one after the other", str(pages), "1"), ("in fibers", str(pages), "1")], output)
        self.assertTrue(all(float(row[3]) > 0 for row in rows), output)

    def test_crawls_its_own_site(self):
        done = run(example("tendril_demo"), "--pages", "40")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.check(done.stdout, 40)
        self.assertNotIn("\r", done.stdout)
        waits = re.search(r"waited in the hub: (.*); switches", done.stdout)
        self.assertTrue(waits, done.stdout)
        self.assertRegex(waits[1], r"connect 40\b.* read \d\d")
        if "site.tendril.test" in done.stdout:
            self.assertRegex(waits[1], r"getaddrinfo [1-9]")

    def test_shows_its_progress_on_a_terminal(self):
        ours, theirs = pty.openpty()
        with subprocess.Popen([example("tendril_demo"), "--pages", "3"], stdout=theirs) as process:
            os.close(theirs)
            output = b""
            try:
                while chunk := os.read(ours, 4096):
                    output += chunk
            except OSError:  # EIO: the other end is closed
                pass
        os.close(ours)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(output.decode(), r"\rOne page after the other +\[#+ +\] [12] of 3")
        self.check(output.decode().replace("\r\n", "\n"), 3)

    def test_crawls_the_site_that_is_named(self):
        with serving() as site:
            done = run(example("tendril_demo"), site + "/")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.check(done.stdout, 4)

    def test_goes_no_further_than_it_is_told(self):
        with serving() as site:
            self.check(run(example("tendril_demo"), "--pages", "2", site).stdout, 2)

    def test_names_the_pages_that_are_missing(self):
        with serving() as site:
            done = run(example("tendril_demo"), site + "/broken")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.check(done.stdout, 1)
            self.assertIn(f"  {site}/missing: the server says HTTP/1.0 404 Not Found\n", done.stdout)

    def test_says_why_nothing_can_be_fetched(self):
        def reason(url):
            done = run(example("tendril_demo"), url)
            self.assertEqual((done.returncode, done.stderr), (1, "demo: no page could be fetched\n"))
            return done.stdout

        with serving() as site:
            self.assertIn(f"{site}/none: the server says HTTP/1.0 404 Not Found\n", reason(site + "/none"))
        with socket.socket() as bound:  # and not listening
            bound.bind(("127.0.0.1", 0))
            host = "127.0.0.1:%d" % bound.getsockname()[1]
            self.assertIn(f"connect {host}: Connection refused\n", reason(f"http://{host}/"))
        self.assertIn("connect 224.0.0.1:80: Network is unreachable\n", reason("http://224.0.0.1/"))

    def test_refuses_what_is_no_url(self):
        for arguments, message in ((["ftp://x/"], "demo: 'ftp://x/' is not an http URL"),
                                   (["--pages", "0"], "demo: --pages needs a number from 1 to 100000"),
                                   (["--pages"], "demo: --pages needs a number from 1 to 100000"),
                                   (["--fast"], "demo: what is '--fast'?")):
            done = run(example("tendril_demo"), *arguments)
            self.assertEqual((done.returncode, done.stderr.splitlines()[0]), (2, message))


if __name__ == "__main__":
    unittest.main()
