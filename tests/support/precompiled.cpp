// SPDX-License-Identifier: BSL-1.0
// Nothing but the headers that are compiled once for all tests (tests/CMakeLists.txt).
