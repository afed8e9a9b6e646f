# SPDX-License-Identifier: BSL-1.0
"""asyncio beside us: the same work with tasks. Called as the other bench programs, `BENCH CASE`."""
import asyncio
import time

from python_work import Sleeping, dispatch, raise_descriptor_limit, read_sleeps, report_time


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
    report_time(times, laps * fibers)


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
    report_time(times, fibers * rounds)


async def sleepers(path):
    sleeps = read_sleeps(path)
    measured = Sleeping()
    await asyncio.gather(*(asyncio.sleep(ns * 1e-9) for ns in sleeps))
    measured.report()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo():
    raise_descriptor_limit()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    print(f"port {server.sockets[0].getsockname()[1]} -", flush=True)
    await server.serve_forever()


def main():
    def on_loop(function):
        return lambda *arguments: asyncio.run(function(*arguments))

    dispatch(*map(on_loop, (switches, spawns, sleepers, echo)), rounds_of_one=2_000)


if __name__ == "__main__":
    main()
