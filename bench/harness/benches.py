# SPDX-License-Identifier: BSL-1.0
"""The benches: which programs, which cases, which floor, and what is to be reached."""
import array
import os
import platform
import random
import subprocess
import sys
import unittest
from pathlib import Path

from .echo import echo
from .measure import Report, Row, add_rows, interleave
from .peers import commands


def ours(machine, program, impl, case):
    return lambda: machine.run([machine.program(program), impl, case])


def others(machine, report, case):
    return {name: lambda command=command: machine.run([*command, report.name, case])
            for name, command in commands(machine, report).items()}


def queue_bench(machine, report, limits):
    for case, limit in limits.items():
        program = f"{report.name}_bench"
        samples = interleave(report, machine, case, {
            "floor": ours(machine, program, "floor", case),
            "tendril": ours(machine, program, "tendril", case),
            **others(machine, report, case),
        })
        add_rows(report, case, samples, "floor", {("tendril", "time"): limit})
    return report


def switch(machine):
    return queue_bench(machine, Report("switch", "one yield, among 2 and 1,000 fibers; floor: a bare "
                                       "FIFO queue on Boost.Context"), {"2": 1.6, "1000": 1.6})


def spawn(machine):
    return queue_bench(machine, Report("spawn", "spawn and join of one fiber, one by one and 10,000 "
                                       "at once; floor: the queue of `switch` with a stack free list"),
                       {"one": 4, "batch": 1.2})


def sync(machine):
    report = Report("sync", "lock and unlock of a mutex that nobody else wants, in a process with one "
                    "thread and with two, floor: std::mutex; one value over a channel to another "
                    "fiber, without a buffer, floor: a yield from one fiber to another; with one for "
                    "128, floor: Boost.Fiber; cross-hub: from one thread to another, by a channel "
                    "and by a condition variable, floor: std::condition_variable")
    for case, floor, limit in (("mutex", "floor", 2), ("mutex-threads", "floor", 2),
                               ("rendezvous", "floor", 3), ("buffered", "boost.fiber", 0.5)):
        implementations = {"tendril": ours(machine, "sync_bench", "tendril", case)}
        if floor == "floor":
            implementations["floor"] = ours(machine, "sync_bench", "floor", case)
        if not case.startswith("mutex"):
            implementations.update(others(machine, report, case))
        samples = interleave(report, machine, case, implementations)
        add_rows(report, case, samples, floor, {("tendril", "time"): limit})
    cross_hub(machine, report)
    return report


def cross_hub(machine, report):
    """Needs two CPUs; with one it shows what that costs."""
    def run(impl):
        return lambda: machine.run([machine.program("sync_bench"), impl, "cross-hub"],
                                   cpu={machine.cpu, machine.load_cpu})
    samples = interleave(report, machine, "cross-hub", {
        name: run(name) for name in ("tendril", "tendril-condition", "floor")})
    add_rows(report, "cross-hub", samples, "floor",
             {("tendril", "time"): 0.5, ("tendril-condition", "time"): 0.5})


def guest(machine):
    report = Report("guest", "one yield among 2 and 1,000 fibers of Boost.Fiber's, on a hub; floor: "
                    "its own round_robin")
    for case in ("2", "1000"):
        samples = interleave(report, machine, case, {
            "floor": ours(machine, "guest_bench", "floor", case),
            "tendril": ours(machine, "guest_bench", "tendril", case),
        })
        add_rows(report, case, samples, "floor", {("tendril", "time"): 1.1})
    return report


def cancel(machine):
    report = Report("cancel", "a timeout set and taken back, one by one and with 1,000,000 pending, floor: "
                    "a sorted tree; 100,000 parked fibers cancelled and unwound, floor: the same let go")
    for case, limit in (("timeout", 200), ("pending", 200), ("parked", 1000)):
        samples = interleave(report, machine, case, {
            "floor": ours(machine, "cancel_bench", "floor", case),
            "tendril": ours(machine, "cancel_bench", "tendril", case)})
        add_rows(report, case, samples, "floor")
        for row in report.rows:
            if (row.case, row.impl) == (case, "tendril"):
                row.limit, row.limits_ratio = limit, False
    return report


def sleepers(machine):
    report = Report("sleepers", "100,000 fibers each sleep gauss(10 ms, 1 ms); floor: asyncio gather")
    path = machine.build / "bench" / "sleeps"
    path.parent.mkdir(exist_ok=True)
    seeded = random.Random(20)
    sleeps = array.array("q", (max(0, round(seeded.gauss(10e6, 1e6))) for _ in range(100_000)))
    path.write_bytes(sleeps.tobytes())
    samples = interleave(report, machine, "all at once", {
        "tendril": ours(machine, "sleepers_bench", "tendril", str(path)),
        **others(machine, report, str(path)),
    }, rounds=min(machine.rounds, 3) if machine.quick else None)
    add_rows(report, "", samples, "asyncio",
             {("tendril", "wall"): 1 / 12, ("tendril", "rss"): 0.7})
    return report


def parked(machine):
    report = Report("parked", "resident memory and page tables of one parked fiber with the default "
                    "stack size; floor: one page")
    count = 100_000 if machine.quick else 1_000_000
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if release < (6, 13):
        count = 20_000
        report.note("this kernel is older than 6.13: guard pages cost a mapping each, and "
                    f"vm.max_map_count allows only some 32,000, so {count:,} fibers")
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if count * 8192 > available:
        count = max(1000, available // 16384)
        report.note(f"too little free memory for more: {count:,} fibers")
    samples = interleave(report, machine, f"{count}", {
        "tendril": ours(machine, "parked_bench", "tendril", str(count))})
    runs = samples.get("tendril", [])
    if runs:
        page = float(os.sysconf("SC_PAGE_SIZE"))
        each = [run["each"][0] for run in runs]
        report.rows.append(Row(str(count), "floor", "B", [page] * len(each), [1.0] * len(each)))
        report.rows.append(Row(str(count), "tendril", "B", each, [value / page for value in each],
                               4.75 * 1024, limits_ratio=False))
        unguarded = max(run["unguarded"][0] for run in runs)
        report.note("every stack is guarded by the kernel" if unguarded == 0 else
                    f"{unguarded:,.0f} stacks have a canary instead of a guard page")
    return report


def shimmed(machine):
    return {"LD_PRELOAD": machine.library("libtendril_shim.so")}


def dns(machine):
    report = Report("dns", "1,000 names through a server that answers each after 100 ms; floor: 100 ms")

    def measure(impl):
        environment = shimmed(machine) if impl == "shim" else {}
        server = machine.start([machine.program("dns_server"), "100"], cpu=machine.load_cpu,
                               stdout=subprocess.PIPE)
        try:
            environment["TENDRIL_NAMESERVERS"] = f"127.0.0.1:{server.stdout.readline().split()[1]}"
            return machine.run([machine.program("dns_bench"), impl, "1000"], extra=environment)
        finally:
            server.kill()
            server.communicate()

    samples = interleave(report, machine, "1000", {
        "tendril": lambda: measure("tendril"),
        "tendril-shim": lambda: measure("shim"),
    })
    for impl, runs in samples.items():
        if runs:
            walls = [run["wall"][0] for run in runs]
            report.rows.append(Row("1000", impl, "ms", walls, [wall / 100 for wall in walls],
                                   200, limits_ratio=False))
            report.rows.append(Row("1000 cpu", impl, "ms", [run["cpu"][0] for run in runs]))
    return report


def passthrough(machine):
    report = Report("passthrough", "a shimmed call on a thread without a hub, beside the libc call")

    def measure():
        return machine.run([machine.program("passthrough_bench")], extra=shimmed(machine))

    runs = interleave(report, machine, "calls", {"tendril-shim": measure}).get("tendril-shim", [])
    for metric in runs[0] if runs else []:
        function, _, impl = metric.partition(":")
        if impl == "libc":
            libc = [run[metric][0] for run in runs]
            shim = [run[f"{function}:shim"][0] for run in runs]
            added = [run[f"{function}:added"][0] for run in runs]  # the median over its pairs
            report.rows.append(Row(function, "floor", "ns", libc, [1.0] * len(libc)))
            report.rows.append(Row(function, "tendril-shim", "ns", shim,
                                   [s / l for s, l in zip(shim, libc)]))
            report.rows.append(Row(f"{function} added", "tendril-shim", "ns", added, [], 5,
                                   limits_ratio=False))
    return report


def libpq(machine):
    report = Report("libpq", "200 sessions of one PostgreSQL server sleep for 0.1 s at once, from one thread: PQexec "
                    "in fibers under the shim; floor: libpq's asynchronous interface and an epoll loop")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests" / "clients"))
    import servers
    try:
        server = servers.Postgres()
    except unittest.SkipTest as reason:
        report.note(f"left out, {reason}")
        report.complete = False
        return report
    try:
        def measure(impl, environment=None):
            return machine.run([machine.program("libpq_bench"), impl, "200", server.address()], extra=environment)
        samples = interleave(report, machine, "200", {
            "floor": lambda: measure("floor"),
            "tendril-shim": lambda: measure("shim", shimmed(machine))})
    finally:
        server.close()
    add_rows(report, "200", samples, "floor", {("tendril-shim", "wall"): 1.3})
    return report


def startup(machine):
    report = Report("startup", "programs from start to end, and their peak resident memory: /bin/true, and "
                    "/bin/sleep 0, which gets a hub when it is engaged; floor: without us")
    for case, command in (("true", ["/bin/true"]), ("sleep 0", ["/bin/sleep", "0"])):
        def measure(preload, *before):
            return machine.run([machine.program("startup_bench"), "50", preload, *before, *command])
        samples = interleave(report, machine, case, {
            "floor": lambda: measure(""),
            "tendril run": lambda: measure("", str(machine.build / "bin" / "tendril"), "run", "--"),
            "tendril preloaded": lambda: measure(machine.library("libtendril_shim.so"))})
        add_rows(report, case, samples, "floor")
        limits = {("tendril run", "wall"): 2, ("tendril run", "peak"): 4096, ("tendril preloaded", "peak"): 200}
        for (impl, metric), limit in limits.items():
            pairs = zip(samples.get(impl, []), samples.get("floor", []))
            added = [run[metric][0] - floor[metric][0] for run, floor in pairs]
            if added:
                unit = samples[impl][0][metric][1]
                report.rows.append(Row(f"{case} {metric} added", impl, unit, added, [],
                                       limit if case == "true" else None, limits_ratio=False))
    return report


ALL = {
    "switch": switch,
    "spawn": spawn,
    "sync": sync,
    "guest": guest,
    "cancel": cancel,
    "sleepers": sleepers,
    "parked": parked,
    "echo": echo,
    "dns": dns,
    "passthrough": passthrough,
    "libpq": libpq,
    "startup": startup,
}
