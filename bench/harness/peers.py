# SPDX-License-Identifier: BSL-1.0
"""The others: what each is called, which benches its program knows, and what Debian calls it."""
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .measure import Unavailable

HERE = Path(__file__).resolve().parent.parent / "peers"
ALL_BENCHES = ("switch", "spawn", "sleepers", "echo")


@dataclass(frozen=True)
class Peer:
    name: str
    source: str
    package: str  # of Debian; none: always there
    benches: tuple = ALL_BENCHES

    def command(self, machine):
        """How to call its program; Unavailable if that cannot be done here."""
        find = {".cpp": _built, ".go": _go, ".py": _python}[Path(self.source).suffix]
        return find(self, machine)

    def missing(self, why):
        package = f" (Debian: {self.package})" if self.package else ""
        return Unavailable(f"{why}{package}")


def _built(peer, machine):
    try:
        return [machine.program(Path(peer.source).stem)]
    except Unavailable:
        raise peer.missing("not in this build") from None


def _python(peer, _):
    # The system's interpreter first: it has Debian's packages, and another may be built differently.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    if not _can_import(python, peer.name):
        raise peer.missing("not installed")
    return [python, "-B", str(HERE / peer.source)]


@lru_cache(maxsize=None)
def _can_import(python, module):
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def _go(peer, machine):
    output = machine.build / "bench" / "go_peer"
    output.parent.mkdir(exist_ok=True)
    try:
        _go_build(output)
    except FileNotFoundError:
        raise peer.missing("not installed") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"go build: {error.stderr.strip()}") from None
    return [str(output)]


@lru_cache(maxsize=None)
def _go_build(output):
    """Here, because neither CMake nor Meson knows Go. No module is fetched."""
    subprocess.run(["go", "build", "-o", output, HERE / "peer.go"], check=True,
                   capture_output=True, text=True,
                   env={**os.environ, "GO111MODULE": "off", "GOFLAGS": ""})


PEERS = (
    Peer("state-threads", "state_threads_peer.cpp", "libst-dev"),
    Peer("boost.fiber", "boost_fiber_peer.cpp", "libboost-fiber-dev", (*ALL_BENCHES, "sync")),
    Peer("boost.asio", "asio_peer.cpp", "libboost-coroutine-dev"),
    Peer("go", "peer.go", "golang-go", (*ALL_BENCHES, "sync")),
    Peer("libuv", "libuv_peer.cpp", "libuv1-dev", ("sleepers", "echo")),
    Peer("pthread", "pthread_peer.cpp", "", ("switch", "spawn", "echo")),
    Peer("uvloop", "uvloop_peer.py", "python3-uvloop"),
    Peer("asyncio", "asyncio_peer.py", "python3"),
    Peer("gevent", "gevent_peer.py", "python3-gevent"),
)


def commands(machine, report):
    """{name: command} of those that can be run here and know this bench; notes who is left out."""
    found = {}
    for peer in PEERS:
        if report.name in peer.benches:
            try:
                found[peer.name] = peer.command(machine)
            except Unavailable as reason:
                report.note(f"{peer.name}: left out, {reason}")
    return found
