# SPDX-License-Identifier: BSL-1.0
"""Compiles the programs in programs/, of which those in C know nothing of Tendril, and runs them."""

import json
import os
import subprocess
import tempfile

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
SHIM = os.path.realpath(os.environ["TENDRIL_TEST_SHIM"])
TOOL = os.environ["TENDRIL_TEST_TOOL"]
FOLDER = os.path.join(SOURCE, "tests", "shims", "programs")
LIBRARIES = os.path.dirname(SHIM)

# As distributions compile their programs, and as old code with large files does.
VARIANTS = {
    "plain": ["-O0"],
    "fortified": ["-O2", "-D_FORTIFY_SOURCE=2"],
    "large_files": ["-O2", "-D_FILE_OFFSET_BITS=64"],
}
# How a program gets the shim without LD_PRELOAD.
LINKED = [f"-L{LIBRARIES}", "-Wl,--no-as-needed", "-ltendril_shim", f"-Wl,-rpath,{LIBRARIES}"]
NATIVE = [f"-L{LIBRARIES}", "-ltendril", f"-Wl,-rpath,{LIBRARIES}"]
WHOLE_ARCHIVE = ["-Wl,--whole-archive", os.path.join(LIBRARIES, "libtendril_shim.a"),
                 "-Wl,--no-whole-archive", "-Wl,--export-dynamic-symbol=tendril_shim_*", "-ldl"]


class Workshop:
    """A folder of its own for what is compiled and written."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="tendril-shim-")
        self.path = self._folder.name

    def close(self):
        self._folder.cleanup()

    def file(self, name):
        return os.path.join(self.path, name)

    def compile(self, source, flags=(), libraries=(), name=None):
        out = self.file(name or os.path.splitext(source)[0])
        compiler = ["cc", "-std=gnu11"] if source.endswith(".c") else ["c++", "-std=c++17"]
        subprocess.run([*compiler, "-D_GNU_SOURCE", "-w", "-pthread", *flags, os.path.join(FOLDER, source),
                        "-o", out, *libraries], check=True)
        return out

    def statistics(self, name="statistics.json"):
        with open(self.file(name)) as file:
            return json.load(file)


def run(*command, status=0, cwd=None, **environment):
    """Runs without any Tendril settings but those given; returns stdout and stderr."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TENDRIL_", "LD_"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd,
                          env={**clean, **environment})
    if done.returncode != status:
        raise AssertionError(f"{command} {environment}: status {done.returncode}, not {status}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout, done.stderr
