# SPDX-License-Identifier: BSL-1.0
"""What the peers in Python share; support/ is the same for those in C++."""
import array
import gc
import resource
import statistics
import sys
import time


def report_time(times, count):
    print(f"time {statistics.median(times) / count:.6g} ns")


def read_sleeps(path):
    sleeps = array.array("q")
    with open(path, "rb") as file:
        sleeps.frombytes(file.read())
    return sleeps


def _memory(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024


class Sleeping:
    """Measures from its construction to report()."""

    def __init__(self):
        gc.collect()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        self.memory = _memory("VmRSS")
        self.cpu = time.process_time_ns()
        self.wall = time.perf_counter_ns()

    def report(self):
        wall, cpu = time.perf_counter_ns() - self.wall, time.process_time_ns() - self.cpu
        print(f"wall {wall / 1e6:.6g} ms")
        print(f"cpu {cpu / 1e6:.6g} ms")
        print(f"rss {(_memory('VmHWM') - self.memory) / 1e6:.6g} MB")


def raise_descriptor_limit():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))


def dispatch(switch, spawn, sleepers, echo, rounds_of_one):
    bench, case = sys.argv[1:] if len(sys.argv) == 3 else ("", "")
    if bench == "switch":
        switch(int(case))
    elif bench == "spawn":
        spawn(*((1, rounds_of_one) if case == "one" else (10_000, 1)))
    elif bench == "sleepers":
        sleepers(case)
    elif bench == "echo":
        echo()
    else:
        print(f"usage: {sys.argv[0]} switch|spawn|sleepers|echo CASE", file=sys.stderr)
        sys.exit(2)
