#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The table, the built library, libc and docs/shims.md agree."""

import ctypes
import os
import re
import subprocess
import sys
import unittest

import programs

sys.path.insert(0, os.path.join(programs.SOURCE, "shims"))
import ledger  # noqa: E402


def libc_symbols():
    """What programs may link: name -> the default version, or None for what only old ones know."""
    libc = ctypes.CDLL("libc.so.6")
    with open("/proc/self/maps") as maps:
        path = next(line.split()[-1] for line in maps if "libc.so.6" in line)
    found = {}
    text = subprocess.run(["readelf", "-W", "--dyn-syms", path], check=True, capture_output=True,
                          text=True).stdout
    for name, at, version in re.findall(r" (\w+)(@@?)(GLIBC_[\w.]+)$", text, re.M):
        if version != "GLIBC_PRIVATE":
            found[name] = version if at == "@@" else found.get(name)
    return libc, found


def other_names(name):
    """Under which libc may have the same function."""
    for base in (name, f"{name}64", re.sub(r"v2$", "64v2", name)):
        yield from (f"__{base}", base, f"__{base}_chk")


class Ledger(unittest.TestCase):
    def test_is_what_the_table_says(self):
        with open(ledger.LEDGER) as file:
            self.assertEqual(file.read(), ledger.ledger(), "run shims/ledger.py")

    def test_real_functions_are_what_the_table_says(self):
        with open(ledger.REAL) as file:
            self.assertEqual(file.read(), ledger.real_header(), "run shims/ledger.py")

    def test_families_and_kinds_are_known(self):
        for name, function in ledger.functions().items():
            self.assertIn(function["family"], ledger.FAMILIES, name)
            self.assertIn(function["kind"], ledger.KINDS, name)

    def test_library_has_every_name(self):
        text = subprocess.run(["nm", "-D", "--defined-only", programs.SHIM], check=True,
                              capture_output=True, text=True).stdout
        exported = {line.split()[-1] for line in text.splitlines()}
        self.assertEqual(exported, set(ledger.names()) | {"tendril_shim_attach_v1"})

    def test_libc_has_every_name(self):
        _, symbols = libc_symbols()
        self.assertEqual([name for name in ledger.names() if name not in symbols], [])

    def test_what_is_not_replaced_is_not(self):
        _, symbols = libc_symbols()
        left = ledger.left_to_libc()
        self.assertEqual(set(left) & set(ledger.names()), set())
        self.assertEqual(len(left), len(set(left)))
        unknown = {name for name in left if name not in symbols and f"__{name}" not in symbols}
        self.assertLessEqual(unknown, {"arc4random", "crypt", "kevent", "__res_context_query",
                                       "__res_context_search", "__res_context_send"})

    def test_no_other_name_of_a_function_is_forgotten(self):
        _, symbols = libc_symbols()
        names = set(ledger.names())
        forgotten = {other for name in ledger.functions() for other in other_names(name)
                     if other in symbols and other not in names}
        self.assertEqual(forgotten, set())

    def test_dlsym_finds_the_version_that_programs_bind(self):
        libc, symbols = libc_symbols()
        process = ctypes.CDLL(None)
        process.dlsym.restype = process.dlvsym.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(libc._handle)
        for name in ledger.names():
            if symbols[name] is not None:
                plain = process.dlsym(handle, name.encode())
                versioned = process.dlvsym(handle, name.encode(), symbols[name].encode())
                self.assertEqual(plain, versioned, name)


if __name__ == "__main__":
    unittest.main()
