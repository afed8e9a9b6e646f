#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The demo: both passes fetch all pages, on one OS thread; its last line; bad input."""

import os
import pty
import re
import socket
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml

from small_site import example, run, serving

LAST_LINE = re.compile(r"^demo: (\d+) pages, sequential (\d+\.\d+) s, concurrent (\d+\.\d+) s, "
                       r"speed-up (\d+\.\d+), OS threads (\d+)$")
ROW = re.compile(r"^(one after the other|in fibers) +(\d+) +\d+\.\d+ +(\d+) +(\d+\.\d+) MiB +\d+\.\d+x$", re.M)

SVG = "{http://www.w3.org/2000/svg}"


def bars(svg, name):
    """(begin, end, row) of each bar of a pass."""
    group = next(g for g in svg.iter(SVG + "g") if g.get("id") == name)
    edges = ([float(bar.get(key)) for key in ("x", "width", "y")] for bar in group.iter(SVG + "rect"))
    return [(x, x + width, y) for x, width, y in edges]


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

    def test_draws_when_each_page_was_fetched(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "timeline.svg")
            done = run(example("tendril_demo"), "--pages", "40", "--svg", path)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertIn(f"\nWhen each page was fetched: {path}\n", done.stdout)
            self.check(done.stdout, 40)
            svg = xml.parse(path).getroot()
        self.assertEqual(svg.find(SVG + "title").text, "40 pages, by a client that blocks")
        self.assertIn("0 s", [text.text for text in svg.iter(SVG + "text")])
        references = [name for element in svg.iter() for name in element.attrib if "href" in name]
        self.assertEqual(references, [])
        sequential, concurrent = bars(svg, "sequential"), bars(svg, "concurrent")
        self.assertEqual((len(sequential), len(concurrent)), (40, 40))
        self.assertTrue(all(end >= begin for begin, end, _ in sequential + concurrent))
        # The numbers have three places, so begin and width may be off by half a thousandth each.
        for before, after in zip(sequential, sequential[1:]):
            self.assertLess(before[1], after[0] + 0.002)
        self.assertTrue(any(after[0] < before[1] - 0.002
                            for before, after in zip(concurrent, concurrent[1:])))
        self.assertEqual(len({row for _, _, row in concurrent}), 40, "a bar hides another")

    def test_draws_what_failed_by_its_name_in_xml(self):
        with serving() as site, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "timeline.svg")
            done = run(example("tendril_demo"), "--svg", path, site + "/odd")
            self.assertEqual(done.returncode, 0, done.stderr)
            failed = [r.find(SVG + "title").text for r in xml.parse(path).getroot().iter(SVG + "rect")
                      if "failed" in r.get("class").split()]
        self.assertEqual([title.split(",")[0] for title in failed], [site + "/missing?a&b=<%C3%A9"] * 2)

    def test_says_early_that_it_cannot_draw(self):
        done = run(example("tendril_demo"), "--svg", "/nowhere/timeline.svg")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (1, "", "demo: /nowhere/timeline.svg: No such file or directory\n"))
        done = run(example("tendril_demo"), "--pages", "1", "--svg", "/dev/full")
        self.assertEqual((done.returncode, done.stderr), (1, "demo: /dev/full could not be written\n"))

    def test_refuses_what_is_no_url(self):
        for arguments, message in ((["ftp://x/"], "demo: 'ftp://x/' is not an http URL"),
                                   (["--pages", "0"], "demo: --pages needs a number from 1 to 100000"),
                                   (["--pages"], "demo: --pages needs a number from 1 to 100000"),
                                   (["--svg"], "demo: --svg needs a file to write"),
                                   (["--fast"], "demo: what is '--fast'?")):
            done = run(example("tendril_demo"), *arguments)
            self.assertEqual((done.returncode, done.stderr.splitlines()[0]), (2, message))


if __name__ == "__main__":
    unittest.main()
