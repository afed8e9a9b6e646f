#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the benches: repeats, interleaves and compares what the programs measure, prints a table and
writes JSON lines. `./dev bench` builds the programs and calls this."""
import argparse
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from harness import benches, charts, files, table  # noqa: E402
from harness.measure import Machine  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release",
                        help="build directory of the programs (build/release)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, all in three minutes")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benches.ALL))
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in benches.ALL:
            parser.exit(2, f"bench: there is no '{name}'; there are: {', '.join(benches.ALL)}\n")
    if options.rounds is None:
        options.rounds = 5 if options.quick else 11
    return options


def main():
    options = parse(sys.argv[1:])
    machine = Machine(options.build.resolve(), options.quick, options.rounds)
    results = ROOT / "build" / "bench"
    results.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    good = True
    for name in options.names or benches.ALL:
        about = files.describe(machine)
        report = benches.ALL[name](machine)
        table.show(report)
        files.write(report, about, results)
        good = good and report.complete
    page = results / "report.html"
    page.write_text(charts.page(files.read(results, benches.ALL)), encoding="utf-8")
    print(f"\n{time.monotonic() - begin:.0f} s; as JSON lines: {results}/NAME.jsonl; charts: {page}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
