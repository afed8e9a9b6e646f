#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Client libraries that nobody here wrote, called as their manuals show, in fibers of one OS thread,
against the servers that they are made for."""

import json
import os
import shlex
import socket
import subprocess
import tempfile
import unittest

import servers

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
LIBRARIES = os.path.dirname(os.path.realpath(os.environ["TENDRIL_TEST_SHIM"]))
BUILT_BY_CMAKE = os.path.exists(os.path.join(os.environ["TENDRIL_TEST_BUILD_DIR"], "CMakeCache.txt"))
LIMIT = 120  # seconds: what never ends is a failure


class Client(unittest.TestCase):
    """One server for a class of tests, and the program that they run."""

    server_class = None
    program = None
    package = None  # of pkg-config

    @classmethod
    def setUpClass(cls):
        if cls is Client:
            raise unittest.SkipTest("only what the others share")
        servers.need("pkg-config", "c++")
        known = subprocess.run(["pkg-config", "--exists", cls.package]).returncode == 0
        if not known and servers.REQUIRED:
            raise AssertionError(f"not installed: the development files of {cls.package}")
        if not known:
            raise unittest.SkipTest(f"not installed: the development files of {cls.package}")
        folder = tempfile.TemporaryDirectory(prefix="tendril-client-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.compile()
        cls.server = cls.start_server()

    @classmethod
    def start_server(cls):
        server = cls.server_class()
        cls.addClassCleanup(server.close)
        return server

    @classmethod
    def compile(cls):
        def flags(which):
            return shlex.split(subprocess.run(["pkg-config", which, cls.package], check=True, text=True,
                                              stdout=subprocess.PIPE).stdout)
        source = os.path.join(SOURCE, "tests", "clients", "programs", cls.program)
        # The shim comes before libc and before the client library, as `tendril::shim` arranges it.
        subprocess.run(["c++", "-std=c++17", "-O1", "-g", "-pthread", f"-I{SOURCE}/include", *flags("--cflags"),
                        source, "-o", os.path.join(cls.folder, "client"), f"-L{LIBRARIES}",
                        "-Wl,--no-as-needed", "-ltendril_shim", "-ltendril", f"-Wl,-rpath,{LIBRARIES}",
                        *flags("--libs")], check=True)

    def command(self, *arguments, address=None):
        return [os.path.join(self.folder, "client"), address or self.address(), *map(str, arguments)]

    def address(self):
        return f"127.0.0.1:{self.server.port}"

    def environment(self):
        self.stats = os.path.join(self.folder, "statistics.json")
        return servers.clean_environment(TENDRIL_STATS=self.stats)

    def check_statistics(self, least, threads=1):
        """All on one thread; some waits in the hub, and of each function `least`, which is given where
        an answer cannot have come before it is waited for."""
        with open(self.stats) as file:
            statistics = json.load(file)
        self.assertEqual(statistics["os_threads_max"], threads)
        waited = {name: calls["waited"] for name, calls in statistics["functions"].items()}
        self.assertGreater(sum(waited.values()), 0)
        for function, count in least.items():
            self.assertGreaterEqual(waited[function], count, function)

    def scenario(self, *arguments, address=None, waits=None, threads=1, **options):
        done = subprocess.run(self.command(*arguments, address=address), stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=LIMIT, env=self.environment(), **options)
        if done.stderr:
            print(f"{self.program} {arguments[0]}: {done.stderr.strip()}", flush=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check_statistics(waits or {}, threads)
        return done.stdout

    def killed(self):
        """What the program prints after its server was killed under it."""
        with subprocess.Popen(self.command("killed"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=self.environment()) as process:
            try:
                self.assertEqual(process.stdout.readline(), "asked\n")
                self.server.kill()
                output, errors = process.communicate(timeout=LIMIT)
            finally:
                process.kill()
                self.server.kill()
                self.server.start()
        self.assertEqual(process.returncode, 0, errors)
        self.check_statistics({})
        return output


class Libpq(Client):
    server_class = servers.Postgres
    program, package = "libpq_client.cpp", "libpq"

    def address(self):
        return self.server.address()

    def test_200_sleeps_at_once(self):
        self.assertRegex(self.scenario("sleeps", waits={"poll": 200}), r"^select pg_sleep\([.\d]+\): 200 at once\n$")

    def test_200_queries_that_wait_for_one_another(self):
        self.assertEqual(self.scenario("locks", waits={"poll": 200}), "200 at once\n")

    def test_copy_100_MiB_in_and_out(self):
        self.assertEqual(self.scenario("copy", 100), "102400 rows in, 102400 rows out\n")

    def test_copy_over_TLS(self):
        self.assertEqual(self.scenario("copy", 5, address=self.server.address(sslmode="require")),
                         "5120 rows in, 5120 rows out\n")

    def test_cancel(self):
        self.assertEqual(self.scenario("cancel"), "cancelled: 57014\nafterwards: 42\n")

    def test_notices_and_notifications(self):
        self.assertEqual(self.scenario("notices", waits={"select": 1}),
                         "NOTICE:  climbing\nnotified: from another session\n")

    def test_tls(self):
        verified = self.server.address(sslmode="verify-full", sslrootcert=self.server.file("server.crt"))
        self.assertEqual(self.scenario("tls", address=verified), "20 sessions in TLS\n")

    def test_timeouts(self):
        self.assertEqual(self.scenario("timeout", waits={"poll": 20}), "20 timeouts; statement: 57014\n")

    def test_10000_fibers_share_10_connections(self):
        self.assertEqual(self.scenario("pool", waits={"poll": 1000}), "10000 fibers, 10 at once\n")

    def test_network_gone_in_the_middle_of_a_query(self):
        output = self.scenario("unreachable")
        if output == "not permitted\n":
            self.skipTest("no network of one's own is to be had here")
        self.assertEqual(output.count("could not receive data from server: "), 2, output)

    def test_server_killed_in_the_middle_of_a_query(self):
        output = self.killed()
        self.assertEqual(output.count("server closed the connection unexpectedly"), 10, output)


class Hiredis(Client):
    server_class = servers.Redis
    program, package = "hiredis_client.cpp", "hiredis"

    def test_pipelines(self):
        self.assertEqual(self.scenario("pipelines"),
                         f"20 pipelines of 1000, 1 value of {16 << 20}\n")

    def test_100_blocking_pops_at_once(self):
        self.assertEqual(self.scenario("blpop", waits={"read": 100}), "100 at once\n")

    def test_publish_and_subscribe(self):
        self.assertEqual(self.scenario("publish", waits={"read": 49}), "100 messages to 50 subscribers\n")

    def test_timeouts(self):
        self.assertEqual(self.scenario("timeout", waits={"read": 20}), "20 timeouts\n")

    def test_server_killed_in_the_middle_of_a_command(self):
        self.assertEqual(self.killed(), "Server closed the connection\n" * 10)


class MariaDB(Client):
    server_class = servers.MariaDB
    program, package = "mariadb_client.cpp", "libmariadb"

    def test_200_sleeps_at_once(self):
        self.assertRegex(self.scenario("sleeps", waits={"poll": 200}), r"^select sleep\([.\d]+\): 200 at once\n$")

    def test_200_queries_that_wait_for_one_another(self):
        self.assertEqual(self.scenario("locks", waits={"poll": 200}), "200 at once\n")

    def test_copy_100_MiB_in_and_out(self):
        self.assertEqual(self.scenario("copy", 100), "102400 rows in, 102400 rows out\n")

    def test_cancel(self):
        self.assertEqual(self.scenario("cancel"), "cancelled: 1317\nafterwards: 42\n")

    def test_warnings(self):
        self.assertEqual(self.scenario("warnings"), "1 warning\nUnknown table 'test.climbing'\n")

    def test_tls(self):
        self.assertEqual(self.scenario("tls", self.server.file("server.crt")), "20 sessions in TLS\n")

    def test_timeouts(self):
        self.assertEqual(self.scenario("timeout", waits={"poll": 20}), "20 timeouts\n")

    def test_server_killed_in_the_middle_of_a_query(self):
        self.assertEqual(self.killed(), "2013\n" * 10)


class Curl(Client):
    program, package = "curl_client.cpp", "libcurl"

    @classmethod
    def start_server(cls):
        cls.backend = socket.create_server(("127.0.0.1", 0), backlog=1024)
        cls.addClassCleanup(cls.backend.close)
        server = servers.Nginx(cls.backend.getsockname()[1])
        cls.addClassCleanup(server.close)
        return server

    def address(self):
        return f"https://localhost:{self.server.tls_port}"

    def scenario(self, name, *arguments, **options):
        return super().scenario(name, self.server.file("server.crt"), *arguments, **options)

    def test_keep_alive(self):
        self.assertEqual(self.scenario("keep_alive"), "20 connections, 200 requests\n")

    def test_download_of_100_MiB(self):
        large = self.server.file("site", "large")
        with open(large, "wb") as file:
            for block in range(100):
                file.write(b"".join(b"%015x\n" % (block << 16 | i) for i in range(1 << 16)))
        self.assertEqual(self.scenario("download", large), f"{100 << 20} bytes\n")

    def test_500_at_once(self):
        self.assertEqual(self.scenario("gate", self.backend.fileno(), waits={"poll": 500},
                                       pass_fds=[self.backend.fileno()]), "500 at once\n")

    def test_timeouts_and_errors(self):
        self.assertEqual(self.scenario("trouble", waits={"poll": 10}), "10 timeouts, 10 errors of the server\n")


class Mosquitto(Client):
    server_class = servers.Mosquitto
    program, package = "mosquitto_client.cpp", "libmosquitto"

    def test_publish_and_subscribe(self):
        self.assertEqual(self.scenario("publish", waits={"pselect": 49}),
                         "20 messages to 50 subscribers, exactly once\n")


class Libssh2(Client):
    server_class = servers.Sshd
    program, package = "libssh2_client.cpp", "libssh2"

    @classmethod
    def start_server(cls):
        server = super().start_server()
        if not server.lets_in():
            raise unittest.SkipTest(f"{server.user_name} may not log in here")
        return server

    def test_100_files_at_once(self):
        self.assertEqual(self.scenario("sftp", self.server.user_name, self.server.file("key"),
                                       self.server.file("files"), waits={"poll": 100}),
                         "100 files, 100 at once\n")

    def test_timeouts(self):
        self.assertEqual(self.scenario("timeout", waits={"poll": 20}), "20 timeouts\n")


def load_tests(loader, tests, pattern):
    """Meson's build has the same libraries: once is enough."""
    return tests if BUILT_BY_CMAKE else unittest.TestSuite()


if __name__ == "__main__":
    unittest.main(verbosity=2)
