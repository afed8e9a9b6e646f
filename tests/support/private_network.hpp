// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

namespace tendril_test {

/// Gives this process a network and an /etc of its own, where port 53 is free and glibc's resolver,
/// which knows no other port and no other files, can be told what to read. Call before the process
/// has a second thread. Returns why it could not, or "": containers often forbid it.
///
/// In it: lo, with 127.0.0.0/8, 192.0.2.2/24, ::1 and 2001:db8::2/64. Nothing leads outside.
std::string enter_private_network();

/// Lays a file with this text over one in /etc, which must exist; also when it did so before.
void replace_in_etc(const std::string& name, const std::string& text);

} // namespace tendril_test
