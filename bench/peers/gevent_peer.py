# SPDX-License-Identifier: BSL-1.0
"""gevent beside us: the same work with greenlets. Called as the other bench programs, `BENCH CASE`."""
import time

import gevent
from gevent.server import StreamServer

from python_work import Sleeping, dispatch, raise_descriptor_limit, read_sleeps, report_time


def switches(fibers):
    laps = 20_000 // fibers
    started = 0
    times = []

    def body():
        nonlocal started
        leads = started == 0
        started += 1
        while started < fibers:
            gevent.sleep(0)
        for part in range(-1, 5):
            begin = time.process_time_ns()
            for _ in range(laps):
                gevent.sleep(0)
            if leads and part >= 0:
                times.append(time.process_time_ns() - begin)

    gevent.joinall([gevent.spawn(body) for _ in range(fibers)])
    report_time(times, laps * fibers)


def spawns(fibers, rounds):
    def body():
        pass

    times = []
    for part in range(-1, 3):
        begin = time.process_time_ns()
        for _ in range(rounds):
            if fibers == 1:
                gevent.spawn(body).join()
            else:
                gevent.joinall([gevent.spawn(body) for _ in range(fibers)])
        if part >= 0:
            times.append(time.process_time_ns() - begin)
    report_time(times, fibers * rounds)


def sleepers(path):
    sleeps = read_sleeps(path)
    measured = Sleeping()
    gevent.joinall([gevent.spawn(gevent.sleep, ns * 1e-9) for ns in sleeps])
    measured.report()


def serve(client, _):
    try:
        while data := client.recv(1024):
            client.sendall(data)
    except ConnectionError:  # a reset, when the load ends
        pass


def echo():
    raise_descriptor_limit()
    server = StreamServer(("127.0.0.1", 0), serve, backlog=4096)
    server.start()
    print(f"port {server.server_port} -", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    dispatch(switches, spawns, sleepers, echo, rounds_of_one=1_000)
