# SPDX-License-Identifier: BSL-1.0
"""Running programs pinned to a CPU, round by round, and what comes out of it."""
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field


class Unavailable(Exception):
    """An implementation cannot be measured here; the text says why."""


def parse_lines(text):
    """`METRIC VALUE UNIT` lines as {metric: (value, unit)}."""
    result = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3:
            raise Unavailable(f"printed '{line}'")
        result[words[0]] = (float(words[1]), words[2])
    return result


class Machine:
    """Where and how the programs run."""

    def __init__(self, build, quick, rounds):
        self.build = build
        self.quick = quick
        self.rounds = rounds
        cpus = sorted(os.sched_getaffinity(0))
        self.cpu = cpus[0]
        self.load_cpu = cpus[-1]

    def program(self, name):
        path = self.build / "bench" / name
        if not path.exists():
            raise Unavailable(f"{name} is not built")
        return str(path)

    def library(self, name):
        path = self.build / "lib" / name
        if not path.exists():
            raise Unavailable(f"{name} is not built")
        return str(path)

    def environment(self, extra=None):
        # One processor for Go, as for the others.
        return {**os.environ, "GOMAXPROCS": "1", **(extra or {})}

    def start(self, command, cpu=None, extra=None, **popen):
        chosen = cpu if isinstance(cpu, set) else {self.cpu if cpu is None else cpu}
        return subprocess.Popen(command, text=True, env=self.environment(extra),
                                preexec_fn=lambda: os.sched_setaffinity(0, chosen), **popen)

    def run(self, command, extra=None, timeout=120, cpu=None):
        process = self.start(command, cpu, extra, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Unavailable(f"did not end within {timeout} s") from None
        if process.returncode != 0:
            reason = errors.strip().splitlines()
            raise Unavailable(reason[-1] if reason else f"ended with {process.returncode}")
        return parse_lines(output)


@dataclass
class Row:
    case: str
    impl: str
    unit: str
    values: list
    ratios: list = field(default_factory=list)  # to the floor of the same round
    limit: float = None  # of the ratio, or of the value
    limits_ratio: bool = True

    @property
    def value(self):
        return statistics.median(self.values)

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def met(self):
        if self.limit is None:
            return None
        measured = self.ratio if self.limits_ratio else self.value
        return None if measured is None else measured <= self.limit


@dataclass
class Report:
    name: str
    title: str
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    complete: bool = True  # Tendril itself was measured

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def interleave(report, machine, case, implementations, rounds=None):
    """Calls each of {name: function} once per round, in turning order. Returns for each name the
    list of what it returned; one that failed is noted and left out."""
    samples = {name: [] for name in implementations}
    names = list(implementations)
    rounds = machine.rounds if rounds is None else rounds
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            if name not in samples:
                continue
            progress(f"{report.name} {case}: round {number + 1} of {rounds}, {name}")
            try:
                samples[name].append(implementations[name]())
            except Unavailable as reason:
                del samples[name]
                report.note(f"{name}, {case}: left out, {reason}")
                report.complete = report.complete and not name.startswith("tendril")
    progress("")
    return samples


def add_rows(report, case, samples, floor, limits=None, metrics=None):
    """One row per metric and implementation. `limits` is {(impl, metric): limit of the ratio}."""
    limits = limits or {}
    first = next((runs[0] for runs in samples.values() if runs), {})
    for metric in metrics or first:
        label = case if len(metrics or first) == 1 else f"{case} {metric}".strip()
        bases = [run[metric][0] for run in samples.get(floor, [])]
        for impl, runs in samples.items():
            values = [run[metric][0] for run in runs]
            if values:
                ratios = [v / b for v, b in zip(values, bases) if b > 0]
                report.rows.append(Row(label, impl, runs[0][metric][1], values, ratios,
                                       limits.get((impl, metric))))
