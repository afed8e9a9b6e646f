#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Programs as Debian ships them print the same and end the same under `tendril run`, and waited in the
hub meanwhile."""

import glob
import http.server
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import unittest

import servers

TOOL = os.environ["TENDRIL_TEST_TOOL"]
BUILT_BY_CMAKE = os.path.exists(os.path.join(os.environ["TENDRIL_TEST_BUILD_DIR"], "CMakeCache.txt"))
LIMIT = 120


class Slow(http.server.BaseHTTPRequestHandler):
    """Thinks before it answers, so that its clients have something to wait for."""

    def do_GET(self):
        time.sleep(0.05)
        body = b"slow but steady\n" * 100
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Backend(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client need not stay until the end."""


PYTHON = """
import select, socket, subprocess, time, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:{port}/gate").read()[:16])
print(subprocess.run(["sh", "-c", "sleep 0.05; echo child"], capture_output=True).stdout)
ours, theirs = socket.socketpair()
print(select.select([ours], [], [], 0.05))
time.sleep(0.01)
"""
PERL = """
use IO::Socket::INET;
my $s = IO::Socket::INET->new("127.0.0.1:{port}") or die $!;
print $s "GET /gate HTTP/1.0\\r\\n\\r\\n";
while (my $line = <$s>) {{ print $line unless $line =~ /^(Date|Server)/ }}
select undef, undef, undef, 0.01;
"""
RUBY = """
require "net/http"
puts Net::HTTP.get(URI("http://127.0.0.1:{port}/gate"))
puts `echo child`
puts [1, 2, 3].map {{ |i| Thread.new {{ sleep 0.01; i }} }}.map(&:value).inspect
"""
NODE = """
require("http").get("http://127.0.0.1:{port}/gate", r => {{
  let text = "";
  r.on("data", d => text += d);
  r.on("end", () => {{ console.log(text); setTimeout(() => console.log("later"), 10); }});
}});
"""

# A server and its client in one process. Their threads poll one epoll set of gRPC's in turns.
GRPC = """
import grpc, threading
from concurrent import futures

def never(request, context):
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()

class Service(grpc.GenericRpcHandler):
    def service(self, call):
        return {{"/s/turn": grpc.unary_unary_rpc_method_handler(lambda request, _: request[::-1]),
                "/s/count": grpc.unary_stream_rpc_method_handler(lambda request, _: (bytes([i]) for i in range(200))),
                "/s/never": grpc.unary_unary_rpc_method_handler(never)}}[call.method]

server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Service(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{{port}}") as channel:
    turn = channel.unary_unary("/s/turn")
    print({{turn(b"%03d" % i) == (b"%03d" % i)[::-1] for i in range(200)}})
    print([call.result() for call in [turn.future(b"f%d" % i) for i in range(50)]])
    print(list(channel.unary_stream("/s/count")(b"")))
    try:
        channel.unary_unary("/s/never")(b"", timeout=0.1)
    except grpc.RpcError as error:
        print(error.code())
server.stop(None).wait()
"""

HTTP = b"GET /gate HTTP/1.0\r\n\r\n"
NUMBERS = r"\d+(\.\d+)?"


class Program:
    """Arguments may name {port} and {tls}, of nginx, {postgres}, an address, {redis}, a port, {folder}
    and {certificate}. `waits`: the hub must have served one of these functions. `same`: what differs from run
    to run, as a pattern, does not count."""

    def __init__(self, name, *command, waits=(), stdin=b"", differs=None, keep=None, engage="main", shell=None,
                 environment=None, needs=(), files=()):
        self.name, self.command, self.waits, self.stdin = name, command, waits, stdin
        self.differs, self.keep, self.engage, self.shell = differs, keep, engage, shell
        self.environment, self.needs, self.files = environment or {}, (needs or command[:1]), files


PROGRAMS = [
    Program("curl", "curl", "-sS", "--cacert", "{certificate}", "https://localhost:{tls}/gate", waits=["poll"]),
    Program("curl HTTP/1.1", "curl", "-sS", "http://127.0.0.1:{port}/gate", "http://127.0.0.1:{port}/nowhere",
            waits=["poll"]),
    Program("curl refused", "curl", "-sS", "http://127.0.0.1:9/", waits=[], differs=NUMBERS + " ms"),
    Program("wget", "wget", "-q", "-O-", "http://127.0.0.1:{port}/gate", waits=["select", "poll", "read"]),
    Program("wget not found", "wget", "-nv", "-O-", "http://127.0.0.1:{port}/nowhere", differs=NUMBERS,
            waits=["select", "poll", "read"]),
    Program("psql", "psql", "-X", "-At", "-c", "select pg_sleep(0.05), 42", "-c", "select 1/0", "{postgres}",
            waits=["poll"]),
    Program("psql script", "psql", "-X", "{postgres}", waits=["poll"],
            stdin=b"create temporary table t (a int);\ninsert into t select generate_series(1, 1000);\n"
                  b"select sum(a) from t;\n\\copy t to stdout\n"),
    Program("pgbench", "pgbench", "-n", "-c", "4", "-t", "10", "-f", "{folder}/bench.sql", "{postgres}",
            waits=["ppoll", "poll", "epoll_wait"], differs=NUMBERS + r"( ms)?"),
    Program("redis-cli", "redis-cli", "-p", "{redis}", "blpop", "nobody", "0.05", waits=["recv", "read"],
            differs=r"\(\d.*s\)"),
    Program("redis-cli pipe", "redis-cli", "-p", "{redis}", stdin=b"set a 1\nincr a\nget a\n", waits=["recv", "read"]),
    Program("redis-benchmark", "redis-benchmark", "-p", "{redis}", "-n", "500", "-c", "10", "-t", "ping,set", "--csv",
            differs=NUMBERS, waits=["epoll_wait"]),
    Program("git clone file", shell="rm -rf {folder}/c && git clone -q file://{folder}/site/repo.git {folder}/c && "
            "git -C {folder}/c log --oneline", waits=["read", "poll"], needs=["git"]),
    Program("git clone http", shell="rm -rf {folder}/c && git clone -q http://127.0.0.1:{port}/repo.git {folder}/c && "
            "git -C {folder}/c log --oneline", waits=["read", "poll", "select"], needs=["git"]),
    Program("ssh", "ssh", "-V"),
    Program("openssl s_client", "openssl", "s_client", "-quiet", "-ign_eof", "-verify_return_error", "-CAfile",
            "{certificate}", "-alpn", "http/1.1", "-connect", "localhost:{tls}", stdin=HTTP, waits=["select"],
            keep=rb"(?s)\r\n\r\n.*"),
    Program("nc", "nc", "-N", "127.0.0.1", "{port}", stdin=HTTP, waits=["poll"], differs=r"Date:.*"),
    Program("socat", "socat", "-t5", "-", "TCP:127.0.0.1:{port}", stdin=HTTP, waits=["select", "poll"],
            differs=r"Date:.*"),
    Program("python3", "/usr/bin/python3", "-c", PYTHON, waits=["select", "poll"]),
    Program("grpc", "/usr/bin/python3", "-c", GRPC, waits=["epoll_wait"], environment={"GRPC_VERBOSITY": "NONE"},
            files=["/usr/lib/python3/dist-packages/grpc"]),
    Program("perl", "perl", "-e", PERL, waits=["read"]),
    Program("ruby", "ruby", "-e", RUBY, waits=["ppoll", "poll", "read"]),
    Program("node", "node", "-e", NODE, waits=["epoll_wait", "epoll_pwait"]),
    Program("java", "keytool", "-J-Xint", "-printcert", "-sslserver", "localhost:{tls}", engage="all",
            waits=["poll", "recv", "read"], environment={"JAVA_TOOL_OPTIONS": ""}, keep=rb"(?s)Owner.*Serial"),
    Program("gdb", "gdb", "-nx", "-batch", "-ex", "break main", "-ex", "run", "-ex", "info inferiors", "-ex",
            "continue", "--args", "/bin/true", differs=r"process \d+|0x[0-9a-f]+", needs=["gdb"]),
    Program("stress-ng", "stress-ng", "--verify", "--timeout", "60", "--sock", "1", "--sock-ops", "50", "--udp", "1",
            "--udp-ops", "50", "--pipe", "1", "--pipe-ops", "500", "--poll", "1", "--poll-ops", "50", "--epoll", "1",
            "--epoll-ops", "50", "--sockpair", "1", "--sockpair-ops", "50",
            differs=NUMBERS + r"|\[\d+\]", waits=[]),
]


class Unmodified(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        def start(server):
            cls.addClassCleanup(server.close)
            return server
        backend = Backend(("127.0.0.1", 0), Slow)
        cls.addClassCleanup(backend.server_close)
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        cls.addClassCleanup(backend.shutdown)
        nginx = start(servers.Nginx(backend.server_address[1]))
        cls.folder = nginx.folder
        cls.values = {"port": nginx.port, "tls": nginx.tls_port, "folder": cls.folder,
                      "certificate": nginx.file("server.crt"),
                      "postgres": start(servers.Postgres()).address(), "redis": start(servers.Redis()).port}
        with open(nginx.file("bench.sql"), "w") as file:
            file.write("select pg_sleep(0.001);\n")
        cls.make_repository(nginx.file("work"), nginx.file("site", "repo.git"))
        statistics = tempfile.TemporaryDirectory(prefix="tendril-statistics-")
        cls.addClassCleanup(statistics.cleanup)
        cls.statistics = statistics.name

    @classmethod
    def make_repository(cls, work, bare):
        if not servers.find("git"):
            return
        shell = (f"git init -q {work} && cd {work} && "
                 "for i in 1 2 3; do seq $((i * 10000)) >numbers && git add numbers && "
                 "git -c user.name=t -c user.email=t@t commit -q -m \"commit $i\" --date=2000-01-01T00:00:00Z; done && "
                 f"git clone -q --bare . {bare} && git -C {bare} update-server-info && chmod -R a+rX {bare}")
        subprocess.run(["sh", "-c", shell], check=True, env=cls.environment(), stdin=subprocess.DEVNULL)

    @classmethod
    def environment(cls, **more):
        return servers.clean_environment(HOME=cls.folder, LC_ALL="C", GIT_CONFIG_NOSYSTEM="1",
                                         GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
                                         GIT_CONFIG_VALUE_0="*", **more)

    def execute(self, program, engaged):
        if program.shell:
            command = ["sh", "-c", program.shell.format(**self.values)]
        else:
            command = [part.format(**self.values) for part in program.command]
        if engaged:
            command = [TOOL, "run", f"--engage={program.engage}", f"--stats={self.statistics}/%p", "--", *command]
        done = subprocess.run(command, input=program.stdin, capture_output=True, timeout=LIMIT,
                              cwd=self.folder, env=self.environment(**program.environment))

        def essential(output):
            if program.keep:
                output = b"".join(re.findall(program.keep, output))
            return re.sub(program.differs, "…", output.decode(errors="replace")) if program.differs else output
        return essential(done.stdout), essential(done.stderr), done.returncode

    def served(self):
        """How many calls of each function the hub of one of the processes of the last run served. On a busy machine
        what is waited for may be there before anybody waits."""
        total = {}
        for name in glob.glob(f"{self.statistics}/*"):
            with open(name) as file:
                for function, calls in json.load(file)["functions"].items():
                    total[function] = total.get(function, 0) + calls["waited"] + calls["at_once"]
            os.remove(name)
        return total

    def check(self, program):
        servers.need(*program.needs, files=program.files)
        expected = self.execute(program, engaged=False)
        self.assertNotEqual(expected[2], 127, expected)
        self.assertEqual(self.execute(program, engaged=True), expected)
        served = self.served()
        if program.waits and not any(served.get(function) for function in program.waits):
            self.fail(f"none of {program.waits} in the hub: {({k: v for k, v in served.items() if v})}")


def method(program):
    return lambda self: self.check(program)


for each in PROGRAMS:
    setattr(Unmodified, "test_" + re.sub(r"\W", "_", each.name), method(each))


def load_tests(loader, tests, pattern):
    """Meson's build has the same libraries: once is enough."""
    return tests if BUILT_BY_CMAKE else unittest.TestSuite()


if __name__ == "__main__":
    unittest.main(verbosity=2)
