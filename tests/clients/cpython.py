#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""CPython's own tests, with and without the engaged shim: prints where the outcomes differ.

  cpython.py [--quick] [MODULE...]

Needs Debian's libpython3.11-testsuite, and TENDRIL_TEST_TOOL: the path of bin/tendril."""

import glob
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

import servers

PYTHON = "/usr/bin/python3.11"
MODULES = ("test_socket", "test_select", "test_poll", "test_epoll", "test_selectors", "test_ssl", "test_asyncio",
           "test_subprocess", "test_signal", "test_os", "test_io", "test_socketserver", "test_httplib", "test_eintr")
# Those that take seconds, not minutes, without what waits for long.
QUICK = ("test_select", "test_poll", "test_epoll", "test_selectors", "test_socketserver", "test_httplib", "test_os",
         "test_socket")
QUICK_WITHOUT = ("PollTests.test_poll2", "NetworkConnectionBehaviour")
STALL = 120  # seconds without any test's beginning or end: it hangs

# They need a hypervisor's sockets, and hang without the shim too on machines whose hypervisor has them half.
NOT_RUN = ("VSOCK",)

# Runs in the tested Python: each line it writes is [what, test], as it happens.
RUNNER = """
import importlib, json, os, sys, unittest
from test import support
module, without, resources, out = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]), os.dup(int(sys.argv[4]))
os.close(int(sys.argv[4]))
os.set_inheritable(out, False)
support.use_resources = resources
support.verbose = 0
pid = os.getpid()
def say(*what):
    if os.getpid() == pid:
        os.write(out, (json.dumps(what) + "\\n").encode())
class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.outcome = "ok"
        say("start", test.id())
    def stopTest(self, test):
        super().stopTest(test)
        say(self.outcome, test.id())
    def bad(self, what, test, error=None):
        if hasattr(test, "_testMethodName"):
            self.outcome = what
        else:
            say(what, test.id())
        if error and error[0] is not unittest.SkipTest:
            print(test.id(), self._exc_info_to_string(error, test), flush=True)
    def addError(self, test, error): self.bad("error", test, error)
    def addFailure(self, test, error): self.bad("failure", test, error)
    def addSkip(self, test, reason): self.bad("skipped", test)
    def addExpectedFailure(self, test, error): self.outcome = "expected failure"
    def addUnexpectedSuccess(self, test): self.outcome = "unexpected success"
    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.bad("failure", test, error)
def without_those(suite):
    kept = unittest.TestSuite() if type(suite) is unittest.TestSuite else type(suite)()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(without_those(test))
        elif (test.id() == only if only else test.id() not in without and not any(part in test.id() for part in parts)):
            kept.addTest(test)
    return kept
only = sys.argv[5] if len(sys.argv) > 5 else None
parts = [each for each in without if not each.startswith("test.")]
suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("test." + module))
without_those(suite).run(Result())
say("end", module)
sys.stdout.flush()
"""


class Run:
    """One process with a module's tests, or some of them."""

    def __init__(self, module, engaged, without, stall=STALL, only=None):
        self.outcomes, self.running, self.ended, self.waits = {}, None, False, 0
        with tempfile.TemporaryDirectory(prefix="tendril-cpython-", ignore_cleanup_errors=True) as self.folder:
            self.execute(module, engaged, without, stall, only)

    def execute(self, module, engaged, without, stall, only):
        resources = ["network"] if module == "test_socketserver" else []
        ours, theirs = os.pipe()
        command = [PYTHON, "-X", "faulthandler", "-c", RUNNER, module, json.dumps(without), json.dumps(resources),
                   str(theirs), *([only] if only else [])]
        if engaged:
            command = [os.environ["TENDRIL_TEST_TOOL"], "run", f"--stats={self.folder}/statistics.%p", "--", *command]
        work = os.path.join(self.folder, "work")
        os.mkdir(work)
        log_name = os.path.join(self.folder, "log")
        with open(log_name, "w") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work,
                                       pass_fds=[theirs], start_new_session=True, env=servers.clean_environment())
        os.close(theirs)
        lines = queue.Queue()

        def read():
            with open(ours) as pipe:
                for line in pipe:
                    lines.put(json.loads(line))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        try:
            while (line := lines.get(timeout=stall)) is not None:
                what, test = line
                if what == "end":
                    self.ended = True
                elif what == "start":
                    self.running = test
                else:
                    self.outcomes[test], self.running = what, None
            process.wait(timeout=stall)
        except (queue.Empty, subprocess.TimeoutExpired):
            pass
        finally:
            try:
                os.killpg(process.pid, 9)
            except ProcessLookupError:
                pass
            process.wait()
        if self.running:
            self.outcomes[self.running] = "hangs" if process.returncode == -9 else f"ends with {process.returncode}"
        with open(log_name, errors="replace") as log:
            self.text = log.read()
        for name in glob.glob(f"{self.folder}/statistics.*"):
            with open(name) as file:
                self.waits += sum(calls["waited"] for calls in json.load(file)["functions"].values())


def run_module(module, engaged, without):
    """All outcomes, and the waits in the hub. A test that hangs or kills its process is left out the
    next time, and the others run again."""
    without = list(without)
    outcomes, waits = {}, 0
    while True:
        run = Run(module, engaged, without)
        outcomes.update(run.outcomes)
        waits += run.waits
        if not run.running:
            if not run.ended:
                outcomes[f"test.{module}"] = "did not end:\n" + run.text[-2000:]
            return outcomes, waits, run.text
        without.append(run.running)


def both(function):
    """What function(engaged) returns without the shim and with it, at the same time: most tests wait most of
    the time."""
    results = {}
    threads = [threading.Thread(target=lambda engaged=engaged: results.update({engaged: function(engaged)}))
               for engaged in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results[False], results[True]


def difference(test, plain, shimmed):
    got, expected = shimmed.get(test, "not run"), plain.get(test, "not run")
    return None if got == expected else f"{test}: {got} under the shim, {expected} without"


def compare(module, quick=False):
    """Lines that say what differs, the number of tests, and of waits in the hub."""
    without = [*NOT_RUN, *(QUICK_WITHOUT if quick else ())]
    (plain, _, _), (shimmed, waits, text) = both(lambda engaged: run_module(module, engaged, without))
    wrong = []
    for test in sorted({*plain, *shimmed}):
        line = difference(test, plain, shimmed)
        # Some of these tests measure time; alone, and more than once, a busy machine does no harm to them.
        for _ in range(3):
            if line is None or test not in plain or test not in shimmed:
                break
            again = both(lambda engaged: Run(module, engaged, [], only=test))
            line = difference(test, again[0].outcomes, again[1].outcomes)
            text = again[1].text
        if line is not None:
            wrong += [line, *text[-3000:].splitlines()]
    if waits == 0:
        wrong.append(f"{module}: nothing waited in the hub")
    return wrong, len(plain), waits


def main(arguments):
    quick = "--quick" in arguments
    if "TENDRIL_TEST_TOOL" not in os.environ:
        sys.exit("TENDRIL_TEST_TOOL is not set: the path of bin/tendril")
    modules = [each for each in arguments if each != "--quick"] or (QUICK if quick else MODULES)
    differences = 0
    for module in modules:
        start = time.monotonic()
        wrong, count, waits = compare(module, quick)
        print(f"{module}: {count} tests, {waits} waits in the hub, "
              f"{'differences:' if wrong else 'no difference'} ({time.monotonic() - start:.0f} s)", flush=True)
        print("".join(f"  {line}\n" for line in wrong), end="", flush=True)
        differences += len(wrong)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
