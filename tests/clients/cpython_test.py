#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""The quicker ones of CPython's own tests have the same outcome with the shim as without; cpython.py runs all."""

import os
import unittest

import cpython
import servers

BUILT_BY_CMAKE = os.path.exists(os.path.join(os.environ["TENDRIL_TEST_BUILD_DIR"], "CMakeCache.txt"))


class CPython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.need(cpython.PYTHON)
        if not os.path.exists("/usr/lib/python3.11/test/test_socket.py"):
            if servers.REQUIRED:
                raise AssertionError("not installed: libpython3.11-testsuite")
            raise unittest.SkipTest("not installed: libpython3.11-testsuite")

    def test_same_with_and_without(self):
        self.assertEqual(cpython.main(["--quick"]), 0)


def load_tests(loader, tests, pattern):
    """Meson's build has the same libraries: once is enough."""
    return tests if BUILT_BY_CMAKE else unittest.TestSuite()


if __name__ == "__main__":
    unittest.main(verbosity=2)
