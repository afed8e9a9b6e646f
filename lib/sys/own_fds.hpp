// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace tendril::sys {

// The fds that a hub keeps for itself. Programs close all fds in a loop, use numbers of their own
// choice with dup2, and expect the lowest free number: so ours live high up, where that is allowed,
// and the shim can tell them from the program's.

/// Moves a fresh fd of ours up and remembers it. Returns its number, or `fd` itself if negative. It
/// is none that another of ours has, or had and has not lost yet: -1 if there is no other, and the
/// fd is closed.
int adopt(int fd) noexcept;

/// Forgets and closes it.
void close_own(int fd) noexcept;

/// Forgets one that somebody has closed behind our back: its number is for the program to use. What
/// is adopted from now on gets numbers that no own fd has had, because others of ours may be lost
/// too, and whoever keeps them will close those numbers yet.
void lose_own(int fd) noexcept;

bool is_own(int fd) noexcept;

/// The lowest own fd that is not below `fd`, or -1.
int next_own(int fd) noexcept;

} // namespace tendril::sys
