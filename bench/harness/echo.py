# SPDX-License-Identifier: BSL-1.0
"""`echo`: a server on one CPU, its load on another, and the system calls between them."""
import contextlib
import os
import signal
import subprocess
import tempfile

from .measure import Report, Row, Unavailable, progress
from .peers import commands


class Playing:
    """A server and its connected load. `with` ends both."""

    def __init__(self, machine, command, connections, extra=None):
        self.server = machine.start(command, extra=extra, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL)
        self.load = None
        try:
            port = self.server.stdout.readline().split()
            if len(port) != 3:
                raise Unavailable("the server did not start")
            self.load = machine.start(
                [machine.program("echo_load"), port[1], str(connections), str(self.server.pid)],
                cpu=machine.load_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
            self._line()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.load, self.server):
            if process is not None:
                process.kill()
                process.communicate()

    def _line(self):
        line = self.load.stdout.readline().split()
        if len(line) != 3:
            raise Unavailable(self.load.stderr.read().strip() or "the load generator ended")
        return line

    def run(self, milliseconds):
        self.load.stdin.write(f"run {milliseconds}\n")
        self.load.stdin.flush()
        result = {}
        while (line := self._line())[0] != "end":
            result[line[0]] = (float(line[1]), line[2])
        return result


class NoCounter(Unavailable):
    """System calls cannot be counted here, whoever makes them."""


class SystemCalls:
    """Counts all system calls of a process through the kernel's tracepoint, by perf(1)."""

    def __init__(self, pid):
        control, self._control = os.pipe()
        self._acknowledged, acknowledge = os.pipe()
        with tempfile.NamedTemporaryFile("r", prefix="tendril-bench-") as output:
            self._output = open(output.name, encoding="utf-8")
            try:
                self._perf = subprocess.Popen(
                    ["perf", "stat", "-x,", "-o", output.name, "-e", "raw_syscalls:sys_enter",
                     "-p", str(pid), "-D", "-1", "--control", f"fd:{control},{acknowledge}"],
                    pass_fds=(control, acknowledge), stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE, text=True)
            except FileNotFoundError:
                raise NoCounter("perf is not installed") from None
            finally:
                os.close(control)
                os.close(acknowledge)
            self._tell("enable")

    def _tell(self, what):
        try:
            os.write(self._control, f"{what}\n".encode())
            answer = os.read(self._acknowledged, 16)
        except BrokenPipeError:
            answer = b""
        if not answer.startswith(b"ack"):
            reason = self._perf.communicate()[1].strip().splitlines()
            raise NoCounter(f"perf: {reason[0] if reason else 'ended'}")

    def end(self):
        self._tell("disable")
        self._perf.send_signal(signal.SIGINT)
        self._perf.communicate()
        for line in self._output:
            value = line.split(",")[0]
            if value.isdigit():
                return int(value)
        raise NoCounter("perf could not count raw_syscalls:sys_enter")


def count_calls(machine, implementation, connections, milliseconds):
    command, extra = implementation()
    with Playing(machine, command, connections, extra) as playing:
        playing.run(50)
        counter = SystemCalls(playing.server.pid)
        requests = playing.run(milliseconds)["requests"][0]
        return counter.end() / requests


def implementations(machine, report, with_peers):
    """{name: function that gives a command and its extra environment}."""
    def ours(impl, preload=None):
        return lambda: ([machine.program("echo_bench"), impl],
                        {"LD_PRELOAD": machine.library(preload)} if preload else None)

    result = {"floor": ours("floor"), "tendril": ours("tendril"),
              "tendril-shim": ours("shim", "libtendril_shim.so")}
    if with_peers:
        for name, command in commands(machine, report).items():
            result[name] = lambda command=command: ([*command, "echo", "-"], None)
    return result


def turned(items, number):
    number %= len(items)
    return items[number:] + items[:number]


class Rounds:
    """In every round the floor stays connected, and the others come beside it, one after the other;
    who is connected plays in short turns. So a machine that is busy for a while slows all alike."""

    def __init__(self, machine, report, connections, chosen):
        self.machine, self.report, self.connections, self.chosen = machine, report, connections, chosen
        # Ours at the same time, to be compared with each other too.
        self.groups = [["tendril", "tendril-shim"],
                       *([name] for name in chosen if name != "floor" and not name.startswith("tendril"))]
        self.samples = {name: [] for name in chosen}
        self.bases = {name: [] for name in chosen}  # the floor's in the same turn
        self.turns = 2 if machine.quick else 4
        self.warm, self.long = (50, 75) if connections < 10_000 else (150, 250)

    def start(self, name):
        command, extra = self.chosen[name]()
        return Playing(self.machine, command, self.connections, extra)

    def run(self):
        for number in range(self.machine.rounds):
            with self.start("floor") as floor:
                floor.run(self.warm)
                for group in turned(self.groups, number):
                    progress(f"echo {self.connections}: round {number + 1} of {self.machine.rounds}, {group[0]}")
                    self.play(floor, group)
        progress("")

    def play(self, floor, group):
        try:
            with contextlib.ExitStack() as started:
                playing = {name: started.enter_context(self.start(name)) for name in group}
                for server in playing.values():
                    server.run(self.warm)
                playing["floor"] = floor
                for number in range(self.turns):
                    turn = {name: playing[name].run(self.long) for name in turned(list(playing), number)}
                    for name, sample in turn.items():
                        self.samples[name].append(sample)
                        self.bases[name].append(turn["floor"])
        except Unavailable as reason:
            self.groups.remove(group)
            for name in group:
                self.samples.pop(name)
                self.report.note(f"{name}, {self.connections}: left out, {reason}")
            self.report.complete = self.report.complete and "tendril" not in group

    def row(self, case, name, metric, bases, limit=None):
        values = [sample[metric][0] for sample in self.samples[name]]
        ratios = [value / base[metric][0] for value, base in zip(values, bases)]
        return Row(case, name, self.samples[name][0][metric][1], values, ratios, limit)

    def add_rows(self, limits):
        played = [name for name, samples in self.samples.items() if samples]
        for metric in ("cpu", "rate", "p50", "p99"):
            case = str(self.connections) if metric == "cpu" else f"{self.connections} {metric}"
            self.report.rows += [self.row(case, name, metric, self.bases[name],
                                          limits.get(name) if metric == "cpu" else None) for name in played]
        if "tendril-shim" in played:
            self.report.rows.append(self.row(f"{self.connections} to native", "tendril-shim", "cpu",
                                             self.samples["tendril"], 1 / 0.95))


def echo(machine):
    report = Report("echo", "64-byte ping-pong, CPU time of the server per request; floor: a hand-written "
                    "level-triggered epoll loop")
    if machine.cpu == machine.load_cpu:
        report.note("one CPU only: server and load share it")
    limits = {1: None, 100: 1.08, 1000: 1.10, 10_000: 1.20}
    for connections, limit in limits.items():
        chosen = implementations(machine, report, not machine.quick or connections == 100)
        rounds = Rounds(machine, report, connections, chosen)
        rounds.run()
        rounds.add_rows({} if limit is None else {"tendril": limit, "tendril-shim": limit + 0.05})
        add_calls(report, machine, connections, 4 * rounds.long,
                  {name: chosen[name] for name in chosen if name in rounds.samples})
    return report


def add_calls(report, machine, connections, milliseconds, chosen):
    """In runs of their own, because counting costs time."""
    base = None
    for name, implementation in chosen.items():
        progress(f"echo {connections}: system calls, {name}")
        try:
            calls = count_calls(machine, implementation, connections, milliseconds)
        except NoCounter as reason:
            report.note(f"system calls per request: left out, {reason}")
            break
        except Unavailable as reason:
            report.note(f"system calls per request of {name}, {connections}: left out, {reason}")
            continue
        base = calls if name == "floor" else base
        report.rows.append(Row(f"{connections} calls", name, "per request", [calls],
                               [calls / base] if base else []))
    progress("")
