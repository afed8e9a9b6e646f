// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>
#include <cstdint>

namespace tendril::detail {

struct stack;

/// The fiber that the calling thread runs; `stk` is null when that is no fiber with a stack of
/// ours.
struct running_fiber {
    const stack* stk = nullptr;
    std::uint64_t id = 0;
    const char* name = ""; ///< must outlive the fiber's run
};

/// Tells which fiber runs. Called in signal handlers on any thread: reads, and nothing else.
using overflow_describer = running_fiber (*)() noexcept;

/// From now on a fiber that runs into its guard is named on stderr, with a backtrace, before
/// SIGSEGV takes its default action. Acts once per process. Faults of other origin go to the
/// handlers that were there before; one that the program installs later stays and replaces this.
void install_overflow_handler(overflow_describer describe) noexcept;

/// For who asks what handles SIGSEGV or SIGBUS: our handler becomes the one before it, what else
/// there is stays. Async-signal-safe, as the next.
void show_earlier_handler(int signal, struct sigaction& action) noexcept;

/// The program has given the signal its default action back; if ours has been installed it comes
/// above that, for until it finds an overflow it does the same.
void watch_for_overflow_again(int signal) noexcept;

/// Gives the calling thread a stack for signal handlers, unless it has one (sigaltstack(2));
/// without it an overflow kills the process silently. False: no memory.
bool prepare_thread_signal_stack() noexcept;

/// Takes it back, if it is still in use.
void release_thread_signal_stack() noexcept;

/// `tendril: fiber #17 "crawl" overflowed its 256 KiB stack`, to stderr. Async-signal-safe.
void report_overflow(const stack& s) noexcept;

} // namespace tendril::detail
