# SPDX-License-Identifier: BSL-1.0
"""Servers that nobody here wrote, each in a folder of its own, on free ports of the loopback, as an
unprivileged user. Nothing of them is left when the test ends."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

# ./dev test installs all and sets this; elsewhere what is missing is skipped.
REQUIRED = bool(os.environ.get("TENDRIL_TEST_ALL"))
PATIENCE = 60  # seconds for a server to come up, on a machine that does much else


def find(program, *folders):
    """Servers are often in folders that only root has in PATH."""
    return shutil.which(program, path=os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def need(*programs, files=()):
    missing = [program for program in programs if not find(program, "/usr/lib/postgresql/15/bin")]
    missing += [file for file in files if not os.path.exists(file)]
    if missing and REQUIRED:
        raise AssertionError(f"not installed: {', '.join(missing)}")
    if missing:
        raise unittest.SkipTest(f"not installed: {', '.join(missing)}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_environment(**more):
    """Ours, without what belongs to Tendril, the loader or a proxy."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("TENDRIL_", "LD_", "PG")) and not k.lower().endswith("_proxy")}
    return {**kept, **more}

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


class Server:
    """A folder, a process in a session of its own, and how to know that it serves."""

    needs = ()
    ends_by = signal.SIGTERM  # if the test is killed before it can end its server

    def __init__(self):
        need(*self.needs)
        self._folder = tempfile.TemporaryDirectory(prefix="tendril-server-", ignore_cleanup_errors=True)
        self.folder = self._folder.name
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        # Most of them refuse to run as root, or change to a user of their own.
        self.user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        self.process = None
        self.own(self.folder)
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    def own(self, path):
        if self.user:
            shutil.chown(path, "nobody", self.user["group"])

    def file(self, *name):
        return os.path.join(self.folder, *name)

    def write(self, name, text, mode=0o644):
        with open(self.file(name), "w") as file:
            file.write(text)
        os.chmod(self.file(name), mode)
        self.own(self.file(name))

    def call(self, *command, **options):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              cwd=self.folder, env=clean_environment(), **self.user, **options)
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def certificate(self):
        """server.crt and server.key for localhost and 127.0.0.1, signed by itself."""
        self.call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                  "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                  "-keyout", self.file("server.key"), "-out", self.file("server.crt"))
        os.chmod(self.file("server.key"), 0o600)

    def prepare(self):
        pass

    def command(self):
        raise NotImplementedError

    def executable(self):
        return None

    def serves(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            return False

    def start(self):
        with open(self.file("log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), executable=self.executable(), cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=clean_environment(), start_new_session=True, **self.user,
                                            preexec_fn=self.die_with_us)
        deadline = time.monotonic() + PATIENCE
        while not self.serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.file("log"), errors="replace") as log:
                    raise AssertionError(f"{self.command()} did not come up:\n{log.read()}")
            time.sleep(0.02)

    def die_with_us(self):
        # mariadbd has capabilities of its file, with which the kernel would forget the other setting.
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        LIBC.prctl(PR_SET_PDEATHSIG, int(self.ends_by))

    def kill(self):
        """The server and all its children, at once."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill()
        self._folder.cleanup()


class Postgres(Server):
    bin = "/usr/lib/postgresql/15/bin"
    needs = ("initdb", "postgres", "openssl")
    ends_by = signal.SIGQUIT  # SIGTERM would wait for the clients

    def prepare(self):
        self.certificate()
        self.call(find("initdb", self.bin), "-D", self.file("data"), "-U", "tendril", "-A", "trust",
                  "--no-sync", "--no-locale", "-E", "UTF8")

    def command(self):
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                    "max_connections": 250, "fsync": "off", "ssl": "on", "ssl_cert_file": self.file("server.crt"),
                    "ssl_key_file": self.file("server.key"), "shared_buffers": "32MB",
                    "max_wal_size": "1GB", "autovacuum": "off"}
        return [find("postgres", self.bin), "-D", self.file("data"),
                *(f"--{name}={value}" for name, value in settings.items())]

    def serves(self):
        return subprocess.run([find("pg_isready", self.bin), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              stdin=subprocess.DEVNULL, env=clean_environment()).returncode == 0

    def address(self, **more):
        """A connection string."""
        values = {"host": "127.0.0.1", "port": self.port, "user": "tendril", "dbname": "postgres",
                  "sslmode": "disable", **more}
        return " ".join(f"{k}={v}" for k, v in values.items())


class MariaDB(Server):
    needs = ("mariadbd", "mariadb-install-db", "openssl")
    hasty = ("--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync",
             "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M")

    def prepare(self):
        self.certificate()
        self.call("mariadb-install-db", "--no-defaults", f"--datadir={self.file('data')}",
                  "--auth-root-authentication-method=normal", *self.hasty)

    def command(self):
        return [find("mariadbd"), "--no-defaults", f"--datadir={self.file('data')}", f"--port={self.port}",
                f"--socket={self.file('socket')}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                f"--ssl-cert={self.file('server.crt')}", f"--ssl-key={self.file('server.key')}",
                "--max-connections=250", "--local-infile=1", "--connect-timeout=600", *self.hasty]


class Redis(Server):
    # redis-tools has the server's binary, without what would start it with the machine: the name it
    # is called by decides what it is.
    needs = ("redis-check-rdb",)

    def executable(self):
        return find("redis-check-rdb")

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir",
                self.folder, "--daemonize", "no", "--unixsocket", self.file("socket")]


class Nginx(Server):
    needs = ("nginx", "openssl")

    def __init__(self, backend=None):
        self.backend = backend or 9
        self.tls_port = free_port()
        super().__init__()

    def prepare(self):
        self.certificate()
        self.call("mkdir", "-p", self.file("site"), self.file("tmp"))
        self.write("site/index.html", "<p>tendril</p>\n")
        self.write("nginx.conf", f"""
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {self.folder}/pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/tmp;
    proxy_temp_path {self.folder}/tmp;
    fastcgi_temp_path {self.folder}/tmp;
    uwsgi_temp_path {self.folder}/tmp;
    scgi_temp_path {self.folder}/tmp;
    proxy_read_timeout 600;
    server {{
        listen 127.0.0.1:{self.port} backlog=1024;
        listen 127.0.0.1:{self.tls_port} ssl http2 backlog=1024;
        ssl_certificate {self.folder}/server.crt;
        ssl_certificate_key {self.folder}/server.key;
        root {self.folder}/site;
        location /gate {{ proxy_pass http://127.0.0.1:{self.backend}; }}
    }}
}}
""")

    def command(self):
        return [find("nginx"), "-p", self.folder, "-e", "stderr", "-c", self.file("nginx.conf")]


class Mosquitto(Server):
    needs = ("mosquitto",)

    def prepare(self):
        self.write("mosquitto.conf", f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")

    def command(self):
        return [find("mosquitto"), "-c", self.file("mosquitto.conf")]


class Sshd(Server):
    needs = ("sshd", "ssh", "ssh-keygen")

    def prepare(self):
        self.user_name = "nobody" if self.user else pwd.getpwuid(os.geteuid()).pw_name
        for name in ("host", "key"):
            self.call("ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-b", "2048", "-N", "", "-f", self.file(name))
        os.chmod(self.file("key"), 0o600)
        os.mkdir(self.file("files"))
        self.own(self.file("files"))
        self.write("sshd_config", f"""
ListenAddress 127.0.0.1:{self.port}
HostKey {self.file("host")}
AuthorizedKeysFile {self.file("key.pub")}
PidFile none
StrictModes no
# Without it whoever has no password is locked out.
UsePAM yes
MaxStartups 500
# libssh2 1.10 knows no later ones.
HostKeyAlgorithms +ssh-rsa
PubkeyAcceptedAlgorithms +ssh-rsa
LoginGraceTime 0
Subsystem sftp internal-sftp
""")

    def command(self):
        return [find("sshd"), "-D", "-e", "-f", self.file("sshd_config")]

    def lets_in(self):
        """PAM has its own opinion of who may log in."""
        command = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                   "UserKnownHostsFile=/dev/null", "-i", self.file("key"), "-p", str(self.port),
                   f"{self.user_name}@127.0.0.1", "-s", "sftp"]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=PATIENCE).returncode == 0
