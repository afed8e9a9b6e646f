# SPDX-License-Identifier: BSL-1.0
"""asyncio beside us: the same work with tasks. Called as the other bench programs, `BENCH CASE`."""
import array
import asyncio
import gc
import resource
import statistics
import sys
import time


async def switches(fibers):
    laps = 20_000 // fibers
    started = 0
    times = []

    async def body():
        nonlocal started
        leads = started == 0
        started += 1
        while started < fibers:
            await asyncio.sleep(0)
        for part in range(-1, 5):
            begin = time.process_time_ns()
            for _ in range(laps):
                await asyncio.sleep(0)
            if leads and part >= 0:
                times.append(time.process_time_ns() - begin)

    await asyncio.gather(*(body() for _ in range(fibers)))
    print(f"time {statistics.median(times) / (laps * fibers):.6g} ns")


async def spawns(fibers, rounds):
    async def body():
        pass

    times = []
    for part in range(-1, 5):
        begin = time.process_time_ns()
        for _ in range(rounds):
            if fibers == 1:
                await asyncio.create_task(body())
            else:
                await asyncio.gather(*(body() for _ in range(fibers)))
        if part >= 0:
            times.append(time.process_time_ns() - begin)
    print(f"time {statistics.median(times) / (fibers * rounds):.6g} ns")


def memory(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024


async def sleepers(path):
    sleeps = array.array("q")
    with open(path, "rb") as file:
        sleeps.frombytes(file.read())
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before, cpu, begin = memory("VmRSS"), time.process_time_ns(), time.perf_counter_ns()
    await asyncio.gather(*(asyncio.sleep(ns * 1e-9) for ns in sleeps))
    wall, used = time.perf_counter_ns() - begin, time.process_time_ns() - cpu
    print(f"wall {wall / 1e6:.6g} ms")
    print(f"cpu {used / 1e6:.6g} ms")
    print(f"rss {(memory('VmHWM') - before) / 1e6:.6g} MB")


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    print(f"port {server.sockets[0].getsockname()[1]} -", flush=True)
    await server.serve_forever()


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: asyncio_peer.py switch|spawn|sleepers|echo CASE")
    bench, case = sys.argv[1:]
    if bench == "switch":
        asyncio.run(switches(int(case)))
    elif bench == "spawn":
        asyncio.run(spawns(*((1, 2_000) if case == "one" else (10_000, 1))))
    elif bench == "sleepers":
        asyncio.run(sleepers(case))
    elif bench == "echo":
        asyncio.run(echo())


if __name__ == "__main__":
    main()
