// SPDX-License-Identifier: BSL-1.0
#pragma once

/// Marks what the shared library exports. Everything is compiled with hidden visibility, so that a
/// name without this macro stays inside.
#define TENDRIL_EXPORT __attribute__((visibility("default")))
