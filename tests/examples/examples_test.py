#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The numbered examples print what they promise and refuse what they do not understand; those that
serve do so; the legacy client fetches a site in every form."""

import contextlib
import glob
import os
import re
import socket
import subprocess
import unittest

from small_site import SOURCE, example, is_built, run, serving

SHIM = os.environ.get("TENDRIL_TEST_SHIM")
TOOL = os.environ.get("TENDRIL_TEST_TOOL")
SANITIZE = os.environ["TENDRIL_TEST_SANITIZE"]
FOLDERS = [os.path.basename(path) for path in sorted(glob.glob(os.path.join(SOURCE, "examples", "[0-9]*")))]
PRINTING = [name for name in FOLDERS if os.path.exists(os.path.join(SOURCE, "examples", name, "expected.out"))]
# What differs from run to run, as expected.out has it.
DIFFERS = {"<seconds>": r"\d+\.\d+", "<number>": r"-?\d+(\.\d+)?",
           "<address>": "0x[0-9a-f]+"}
WRONG = {
    "05_sleepers_and_threads": ["0", "99", "-100", "100x", "10000001", ""],
    "06_http": ["127.0.0.1", "127.0.0.1:80 page", ":"],
    "07_thousand_names": ["0", "-1", "10x", "100001", ""],
    "08_echo": ["127.0.0.1", "[::1"],
    "09_chat": ["127.0.0.1", "[::1"],
    "11_port_forwarder": ["127.0.0.1:0", "127.0.0.1 127.0.0.1:1", "127.0.0.1:0 127.0.0.1"],
    "12_crawler": ["0", "-1", "4x", "1001", ""],
    "13_legacy_crawler": ["gopher://x/", "http://host/ 0"],
    "19_factorials": ["0", "-1", "4x", "100001", ""],
    "20_two_cores": ["0", "-1", "4x", "1001", ""],
    "22_boost_fiber": ["0", "-1", "4x", "1001", ""],
}


HAS_BOOST_FIBER = is_built("22_boost_fiber")


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


class Numbered(unittest.TestCase):
    def test_are_numbered_in_the_order_of_their_index(self):
        numbers = [int(name[:2]) for name in FOLDERS]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(re.findall(r"^\| \[(\d\d_\w+)\]", read("examples", "README.md"), re.M), FOLDERS)

    def test_each_prints_what_is_expected(self):
        for name in PRINTING:
            if name == "22_boost_fiber":  # below
                continue
            with self.subTest(name):
                expected, arguments = read("examples", name, "expected.out"), []
                if "thread" in SANITIZE and name == "05_sleepers_and_threads":  # 8,128 are TSan's most
                    expected, arguments = re.sub(r"(?m)^(\d+)00 ", r"\1 ", expected), ["1000"]
                pattern = re.escape(expected)
                for mark, regex in DIFFERS.items():
                    pattern = pattern.replace(mark, regex)
                done = run(example(name), *arguments)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertRegex(done.stdout, r"\A" + pattern + r"\Z")

    def test_each_says_what_it_shows_and_how_to_run_it(self):
        for name in PRINTING[1:]:
            with self.subTest(name):
                comment = read("examples", name, "main.cpp").split("\n\n")[0].replace("\n//", "")
                self.assertRegex(comment, r"\. Try: .*\. Run: build/dev/bin/" + name + r"\b")

    def test_each_refuses_wrong_arguments(self):
        for name in FOLDERS[1:] if SHIM else PRINTING[1:]:
            if name == "22_boost_fiber" and not HAS_BOOST_FIBER:
                continue
            for arguments in ["nonsense", "a b c d", *WRONG.get(name, [])]:
                with self.subTest(name, arguments=arguments):
                    done = run(example(name), *(arguments.split() or [""]))
                    self.assertEqual((done.returncode, done.stdout), (2, ""))
                    self.assertRegex(done.stderr, rf"(?m)^usage: {name}\b")


@contextlib.contextmanager
def started(name, *arguments):
    """A server; yields where it serves."""
    with subprocess.Popen([example(name), *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            host, port = re.fullmatch(r"serving at (.*):(\d+)\n", process.stdout.readline()).groups()
            yield host, int(port)
        finally:
            process.kill()


class Servers(unittest.TestCase):
    def member(self, address, name):
        connection = self.enterContext(socket.create_connection(address, 30))
        connection.sendall(name.encode() + b"\n")
        lines = connection.makefile("r", encoding="utf-8")
        self.addCleanup(lines.close)
        self.assertEqual(lines.readline(), f"welcome, {name}\n")
        return connection, lines

    def test_echo(self):
        with started("08_echo", "127.0.0.1:0") as address:
            with socket.create_connection(address, 30) as client:
                client.sendall(b"hello")
                self.assertEqual(client.recv(5, socket.MSG_WAITALL), b"hello")

    def test_chat_survives_who_hangs_up_or_talks_too_much(self):
        with started("09_chat", "127.0.0.1:0") as address:
            _, anna = self.member(address, "Anna")
            ben, _ = self.member(address, "Ben")
            self.assertEqual(anna.readline(), "Ben has come\n")
            ben.sendall(b"x" * 2000)
            self.assertEqual(anna.readline(), "Ben has left\n")
            socket.create_connection(address, 30).close()
            cleo, _ = self.member(address, "Cleo")
            self.assertEqual(anna.readline(), "Cleo has come\n")
            cleo.sendall(b"hello\n")
            self.assertEqual(anna.readline(), "Cleo: hello\n")

    def test_forwarder_and_http(self):
        with serving() as site, started("11_port_forwarder", "127.0.0.1:0", site[7:]) as (host, port):
            done = run(example("06_http"), f"{host}:{port}", "/three.html?x=1")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout, "status: HTTP/1.0 200 OK\nbody:   the last one")

    def test_they_say_what_is_wrong_with_an_address(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for name, *arguments in (["08_echo"], ["09_chat"], ["11_port_forwarder", "127.0.0.1:1"]):
                done = run(example(name), address, *arguments)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, rf"\A{name}: .*{address}.*Address already in use\n\Z")


@unittest.skipUnless(HAS_BOOST_FIBER, "this build has no Boost.Fiber or no shim")
@unittest.skipIf(SANITIZE, "sanitizers know nothing of Boost.Fiber's switches")
class BoostFiber(unittest.TestCase):
    def test_pipeline(self):
        for fetchers in (8, 1):
            done = run(example("22_boost_fiber"), *([str(fetchers)] if fetchers != 8 else []))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            expected = read("examples", "22_boost_fiber", "expected.out")
            self.assertEqual(done.stdout, expected.replace("up to 8", f"up to {fetchers}"))


class LegacyClient(unittest.TestCase):
    def check(self, *command):
        with serving() as site:
            done = run(*command, site)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"\A4 of 4 pages")
            done = run(*command, site + "/broken")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"crawl: {site}/missing: the server says HTTP/1.0 404 Not Found\n")
            done = run(*command, site + "/old")
            self.assertRegex(done.stdout, r"\A2 of 2 pages")
            done = run(*command, site + "/away")
            self.assertEqual(done.stderr, f"crawl: {site}/away: redirected to https://elsewhere.test/, "
                                          "where this crawler does not go\n")
        for nonsense in ("gopher://x/", "http://", "http://host:port/", "http://h:99999/", "http://[::1/"):
            done = run(*command, nonsense)
            self.assertEqual(done.returncode, 2, nonsense)
            self.assertRegex(done.stderr, r"\Ausage: ")

    def test_by_itself(self):
        self.check(example("crawl"))

    @unittest.skipUnless(SHIM, "this build has no shim")
    def test_linked_with_the_shim(self):
        self.check(example("13_legacy_crawler"))

    @unittest.skipUnless(TOOL, "this build has no bin/tendril")
    @unittest.skipIf("address" in SANITIZE, "ASan must be the first library")
    def test_under_tendril_run(self):
        self.check(TOOL, "run", "--", example("crawl"))


if __name__ == "__main__":
    unittest.main()
