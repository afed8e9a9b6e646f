# SPDX-License-Identifier: BSL-1.0
"""`echo`: a server on one CPU, its load on another, and the system calls between them."""
import os
import signal
import subprocess
import tempfile

from .measure import Report, Row, Unavailable, add_rows, interleave, progress
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
              "tendril shim": ours("shim", "libtendril_shim.so")}
    if with_peers:
        for name, command in commands(machine, report).items():
            result[name] = lambda command=command: ([*command, "echo", "-"], None)
    return result


def echo(machine):
    report = Report("echo", "64-byte ping-pong; floor: a hand-written level-triggered epoll loop; cpu "
                    "is the server's per request")
    if machine.cpu == machine.load_cpu:
        report.note("one CPU only: server and load share it")
    limits = {1: None, 100: 1.08, 1000: 1.10, 10_000: 1.20}
    for connections, limit in limits.items():
        warm, long = (100, 300) if connections < 10_000 else (250, 600)
        if machine.quick:
            warm, long = warm // 2, long // 2
        chosen = implementations(machine, report, not machine.quick or connections == 100)

        def measure(implementation):
            command, extra = implementation()
            with Playing(machine, command, connections, extra) as playing:
                playing.run(warm)
                return playing.run(long)

        samples = interleave(report, machine, str(connections),
                             {name: lambda f=f: measure(f) for name, f in chosen.items()})
        reach = {} if limit is None else {("tendril", "cpu"): limit,
                                          ("tendril shim", "cpu"): limit + 0.05}
        add_rows(report, str(connections), samples, "floor", reach, ["cpu", "rate", "p50", "p99"])
        add_calls(report, machine, connections, long, {n: f for n, f in chosen.items() if n in samples})
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
