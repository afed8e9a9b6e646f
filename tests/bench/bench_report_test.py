#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What the benches write: JSON lines, the page of charts; and who is left out, with which words."""

import dataclasses
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
SOURCE = Path(os.environ["TENDRIL_TEST_SOURCE_DIR"])
sys.path.insert(0, str(SOURCE / "bench"))

from harness import benches, charts, files, peers, scale  # noqa: E402
from harness.measure import Machine, Report, Row, Unavailable, interleave  # noqa: E402

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(html.parser.HTMLParser):
    """Balanced, or it raises; the text, the tags and what they refer to."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.references, self.cells = [], [], [], []
        self.feed(text)
        self.close()
        if self.open:
            raise ValueError(f"left open: {self.open}")

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [v for k, v in attributes if k in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}>")

    def handle_data(self, text):
        if text.strip():
            self.cells.append(text)


def fixture():
    report = Report("spawn", "spawn & join <of> a fiber")
    report.note("gevent: left out, not installed (Debian: python3-gevent)")
    report.rows = [
        Row("one", "floor", "ns", [20.0, 22.0, 21.0, 20.0], [1.0] * 4),
        Row("one", "tendril", "ns", [44.0, 42.0, 42.0, 46.0], [2.2, 1.9, 2.0, 2.3], 4),
        Row("one", "go", "ns", [400.0, 4000.0, 410.0, 420.0], [20.0, 182.0, 19.5, 21.0]),
        Row("idle", "tendril", "ns", [0.5, 0.25], [0.01, 0.02], 0.001),
        Row("wall", "tendril", "ms", [120.0], [], 100, limits_ratio=False),
        Row("wall", "tendril-shim", "ms", [0.0], []),
    ]
    return report


ABOUT = {"date": "2026-01-02T03:04:05+00:00", "rounds": 4, "quick": True,
         "machine": {"cpu": "A <CPU> & more", "cpus": 3, "memory_gb": 4.5, "load": 0.7,
                     "kernel": "Linux 9.8", "system": "Some OS", "compiler": "cc 1.2", "version": "v0"}}


class Written(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        files.write(fixture(), ABOUT, self.folder)

    def test_lines_have_these_fields(self):
        lines = [json.loads(line) for line in (self.folder / "spawn.jsonl").read_text().splitlines()]
        self.assertEqual(lines[1], {"bench": "spawn", "case": "one", "impl": "tendril", "value": 43.0,
                                    "unit": "ns", "floor_ratio": 2.1, "runs": 4})
        self.assertIsNone(lines[4]["floor_ratio"])
        self.assertEqual(len(lines), 6)

    def test_page_is_complete_and_by_itself(self):
        text = charts.page(files.read(self.folder, ["switch", "spawn"]))
        page = Page(text)
        self.assertEqual(page.references, [])
        self.assertIsNone(re.search(r"https?:|//|url\(|@import|<script", text))
        for words in ("floor", "tendril", "tendril-shim", "go", "43", "415", "42 – 46", "2.1×", "1.9 – 2.3",
                      "19.5 – 182", "met", "missed", "≤ 4×", "≤ 100 ms", "spawn & join <of> a fiber.",
                      fixture().notes[0]):
            self.assertIn(words, page.cells)
        measured = next(cell for cell in page.cells if cell.startswith("Measured"))
        for words in ("2026-01-02", "4 rounds (quick)", "A <CPU> & more", "3 CPUs", "load 0.7", "Linux 9.8",
                      "Some OS", "cc 1.2", "v0"):
            self.assertIn(words, measured)
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertEqual(page.tags.count("svg"), 3 + 6)  # an axis per case, a drawing per figure

    def test_drawings_stay_within_themselves(self):
        text = charts.page(files.read(self.folder, ["spawn"]))
        for key in ("x", "x1", "x2"):
            for value in re.findall(rf' {key}="([^"]*)"', text):
                self.assertTrue(0 <= float(value) <= charts.WIDTH, value)
        for value in re.findall(r'<rect [^>]*width="([^"]*)"', text):
            self.assertTrue(0 <= float(value) <= charts.WIDTH, value)


class Scales(unittest.TestCase):
    def test_keep_order_and_have_ticks(self):
        for kind, values in ((scale.Linear, [0, 3, 70]), (scale.Linear, [0]), (scale.Linear, []),
                             (scale.Logarithmic, [0.05, 1, 300]), (scale.Logarithmic, [1.01, 1.02]),
                             (scale.Logarithmic, [])):
            axis = kind(values, 400)
            ticks = axis.ticks()
            places = [axis.place(value) for value, _ in ticks]
            self.assertEqual(places, sorted(set(places)))
            self.assertTrue(2 <= len(ticks) <= 12, ticks)
            self.assertTrue(all(0 <= axis.place(v) <= 400 for v in [axis.base, *values]))


class Peers(unittest.TestCase):
    def test_all_are_installed_by_dev(self):
        packages = re.search(r"^to_bench=\((.*?)\)", (SOURCE / "dev").read_text(), re.M | re.S)[1].split()
        for peer in peers.PEERS:
            self.assertTrue((SOURCE / "bench/peers" / peer.source).exists(), peer.source)
            self.assertIn(peer.package, [*packages, ""])
            self.assertLessEqual(set(peer.benches), set(benches.ALL))

    def test_one_that_is_missing_is_left_out_with_its_package(self):
        machine = Machine(Path("/nonexistent"), quick=True, rounds=1)
        report = Report("sleepers", "")
        absent = dataclasses.replace(peers.PEERS[-1], name="no_such_module")
        with tempfile.TemporaryDirectory() as nothing_built:
            machine.build = Path(nothing_built)
            for peer, reason in ((peers.PEERS[0], "not in this build (Debian: libst-dev)"),
                                 (absent, "not installed (Debian: python3-gevent)")):
                with self.assertRaises(Unavailable) as raised:
                    peer.command(machine)
                self.assertEqual(str(raised.exception), reason)
            found = peers.commands(machine, report)
        self.assertNotIn("pthread", found)
        self.assertIn("state-threads: left out, not in this build (Debian: libst-dev)", report.notes)
        self.assertFalse(any(note.startswith("pthread") for note in report.notes), "it has no sleepers")

    def test_one_that_fails_is_left_out_and_the_others_stay_paired(self):
        calls = []

        def fails():
            raise Unavailable("no more memory")

        report = Report("echo", "")
        machine = Machine(Path("/nonexistent"), quick=True, rounds=3)
        samples = interleave(report, machine, "1", {
            "floor": lambda: calls.append("floor"), "go": fails, "tendril": lambda: calls.append("tendril")})
        self.assertEqual({name: len(runs) for name, runs in samples.items()}, {"floor": 3, "tendril": 3})
        self.assertEqual(calls, ["floor", "tendril"] + ["tendril", "floor"] + ["tendril", "floor"])
        self.assertEqual(report.notes, ["go, 1: left out, no more memory"])
        self.assertTrue(report.complete)

    def test_programs_in_python_say_how_they_are_called(self):
        done = subprocess.run([sys.executable, "-B", SOURCE / "bench/peers/asyncio_peer.py", "chess", "2"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("switch|spawn|sleepers|echo CASE", done.stderr)


class Arguments(unittest.TestCase):
    def test_a_name_that_is_none(self):
        done = subprocess.run([sys.executable, SOURCE / "bench/run.py", "chess"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no 'chess'; there are: switch, ", done.stderr)


if __name__ == "__main__":
    unittest.main()
