#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Writes docs/shims.md and include/tendril/real.hpp from shims/symbols.def and not_replaced.py, so that they
cannot differ.

    shims/ledger.py            writes the files
    shims/ledger.py --check    exits with 1 if they are not what would be written
"""
import pathlib
import re
import sys

from not_replaced import NOT_REPLACED

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "shims" / "symbols.def"
LEDGER = ROOT / "docs" / "shims.md"
REAL = ROOT / "include" / "tendril" / "real.hpp"

MACROS = ("SYMBOL", "UNDECLARED", "VARIADIC", "ALIAS", "VARIADIC_ALIAS", "FORMATTED", "CHECKED")

FAMILIES = {
    "socket": "Bytes, messages and connections, on sockets, pipes and terminals alike; queues between processes.",
    "time": "Sleeping and yielding.",
    "poll": "Waiting for readiness.",
    "dns": "Names and addresses; users, groups and services.",
    "file": "Files, locks on them, serial lines, the log.",
    "process": "Children: their ends and their commands.",
    "stdio": "Streams over sockets, pipes, terminals and other fds that may let a call wait; those of files go to libc.",
    "signal": "Handlers, and waiting for signals.",
    "always": "Bookkeeping that the families rest on, and what libc keeps per thread; never switched off.",
}

KINDS = {
    "waits": "waits in the hub",
    "follows": "waits in the hub; never engages",
    "yields": "lets other fibers run",
    "tracks": "never waits; the hub must know",
    "finishes": "waits in the hub; never engages",
    "here": "never waits; the same on every thread",
    "counts": "counted",
}

HEAD = """# What the shim replaces

<!-- Written by shims/ledger.py from shims/symbols.def; a test compares. -->

`libtendril_shim` defines the libc functions below. On a thread without a hub a call goes straight to
libc. On a thread with one, the function does what its man page says, except that it parks the calling
fiber where libc would block the thread.

For all of them:

- **Cancelled**, or on a hub that ends: -1 with `ECANCELED`, unless the table says otherwise.
- **Signals**: a handler that runs on a thread ends the calls that wait in its hub with `EINTR` where
  signal(7) says so: all of its fibers' calls, as if each were a thread that the signal was sent to. In a
  handler that interrupted the hub itself, calls go straight to libc.
- **The child of a `vfork`**: calls that would touch the parent's tables go straight to libc.
- **Children of a `fork`** have a hub of their own, with the forking fiber alone in it.
- **Bad pointers**: where the kernel answers `EFAULT`, a call that looks at what it is given may end the
  process with SIGSEGV.
- Calls inside libc itself cannot be replaced: what `perror` or `getpass` read and write, and what
  `syscall()` or a statically linked program does.

Families are switched by `TENDRIL_SHIM=socket,time,…` or `tendril run --shim=…`; all are on by default.
The names `sync` and `thread` are accepted too; they cover nothing yet.

`TENDRIL_STATS=FILE` counts the calls of each function: those that waited in the hub, those that
completed there at once, and those that passed through. It is written by `exit` and by returning from
`main`; `_exit`, `quick_exit`, a signal or `execve` write nothing. A child of `fork` counts from zero;
`%p` in FILE is the process id. `os_threads_max` counts threads where they are made; `null` means that
no shim was there to see it.
"""


def entries():
    """The table as (macro, [arguments]), in order."""
    text = re.sub(r"^\s*(//|#).*$", "", TABLE.read_text(), flags=re.M)
    found = []
    for match in re.finditer(r"TENDRIL_(\w+)\(", text):
        assert match.group(1) in MACROS, match.group(1)
        arguments, depth, quoted, item = [], 1, False, ""
        for c in text[match.end():]:
            if c == '"':
                quoted = not quoted
            elif not quoted and c == "(":
                depth += 1
            elif not quoted and c == ")":
                depth -= 1
                if depth == 0:
                    break
            if c == "," and depth == 1 and not quoted:
                arguments.append(item.strip())
                item = ""
            else:
                item += c
        arguments.append(item.strip())
        found.append((match.group(1), arguments))
    return found


def functions():
    """Per function: name, family, kind, limits and its other names."""
    found = {}
    for macro, a in entries():
        if macro in ("SYMBOL", "UNDECLARED", "VARIADIC"):
            found[a[0]] = {"family": a[1], "kind": a[2], "limits": a[6].strip('"'), "aliases": []}
        else:
            found[a[1]]["aliases"].append(a[0])
    return found


def names():
    """Every libc name that the shim defines."""
    return [a[0] for _, a in entries()]


def code(name):
    return f"`{name}`"


def ledger():
    out = [HEAD]
    table = functions()
    for family, about in FAMILIES.items():
        out.append(f"\n## {family}\n\n{about}\n\n| Function | Also as | | Limits |\n|---|---|---|---|\n")
        for name, f in table.items():
            if f["family"] == family:
                aliases = " ".join(map(code, f["aliases"]))
                out.append(f"| {code(name)} | {aliases} | {KINDS[f['kind']]} | {f['limits']} |\n")
    out.append("\n## What is not replaced, and why\n")
    for title, rows in NOT_REPLACED.items():
        out.append(f"\n### {title}\n\n| Functions | Why |\n|---|---|\n")
        out += [f"| {names} | {why} |\n" for names, why in rows]
    return "".join(out)


def left_to_libc():
    """The names in the first column of what is not replaced."""
    return [name for rows in NOT_REPLACED.values() for names, _ in rows for name in re.findall(r"`(\w+)`", names)]


REAL_HEAD = """// SPDX-License-Identifier: BSL-1.0
#pragma once

// Written by shims/ledger.py from shims/symbols.def; a test compares.

#include <tendril/export.hpp>

%s

struct epoll_event;

namespace tendril {
inline namespace v1 {

/// libc's functions behind those of the shim, under the same names: they do what their man pages
/// say, and so block the thread with all its fibers. For code that must not wait in the hub. Any
/// thread may call them, with and without a hub; they are no points of cancellation for fibers.
///
/// Without a shim in the process they are what calls of the plain names reach. Each looks its
/// function up at its first call, which therefore is not for signal handlers. One that this libc
/// lacks fails with ENOSYS.
///
/// @warning What the hub keeps of fds, handlers and children is not told of what is done here:
/// `real::close` of an fd that a fiber waits for leaves it waiting. What plain popen() or
/// flockfile() began, plain pclose() or funlockfile() must end.
namespace real {

// clang-format off
"""

REAL_TAIL = """
// clang-format on

} // namespace real
} // namespace v1
} // namespace tendril
"""

# What the types of the parameters need, but <sys/epoll.h>, which is Linux's alone.
REAL_INCLUDES = ("aio.h", "grp.h", "locale.h", "mqueue.h", "netdb.h", "netinet/in.h", "poll.h", "pwd.h", "resolv.h",
                 "shadow.h", "signal.h", "spawn.h", "stdarg.h", "stddef.h", "stdio.h", "sys/resource.h",
                 "sys/select.h", "sys/sem.h", "sys/socket.h", "sys/stat.h", "sys/time.h", "sys/types.h", "sys/uio.h",
                 "sys/wait.h", "termios.h", "threads.h", "time.h", "wchar.h")


def real_header():
    """The declarations, family by family."""
    found = []
    for family in FAMILIES:
        lines = []
        for macro, a in entries():
            if macro in ("SYMBOL", "VARIADIC") and a[1] == family:
                parameters = a[4].replace("tendril_thread_start start", "void* (*start)(void*)")
                lines.append(f"TENDRIL_EXPORT {a[3]} {a[0]}{parameters}; ///< libc's\n")
        if lines:
            found.append(f"\n// {FAMILIES[family]}\n" + "".join(lines))
    includes = "\n".join(f"#include <{name}>" for name in REAL_INCLUDES)
    return REAL_HEAD % includes + "".join(found) + REAL_TAIL


def main():
    files = {LEDGER: ledger(), REAL: real_header()}
    for path, text in files.items():
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is not what shims/ledger.py makes of shims/symbols.def", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
