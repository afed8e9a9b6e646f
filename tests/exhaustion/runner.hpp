// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"
#include "support/faults.hpp"
#include "support/leaks.hpp"
#include "support/open_fds.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <execinfo.h>
#include <memory>
#include <new>
#include <ostream>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

/// Runs a scenario again and again, each time with the next call of a kind failing, until it gets
/// through without meeting the failure.
namespace tendril::test {

/// What a scenario throws when the library did what it must not do.
struct wrong : std::logic_error {
    using std::logic_error::logic_error;
};

inline void require(bool condition, const char* what) {
    if (!condition) {
        throw wrong(what);
    }
}

struct scenario {
    const char* name;
    /// Returns, or ends with an error that the library documents: std::bad_alloc, system_error.
    void (*run)();
    /// What run needs and what never fails, from when the process begins to its end.
    std::shared_ptr<void> (*prepare)() = nullptr;
    /// Blocks that libc may keep or not, in threads of its own.
    long slack = 0;
};

inline void PrintTo(const scenario& s, std::ostream* out) {
    *out << s.name;
}

struct outcome {
    bool hit = false;      ///< the failure was met
    bool good = false;     ///< all that must be so was so
    unsigned variants = 1; ///< of the call that failed
    long fds = 0;          ///< open at the end
    long blocks = 0;       ///< allocated at the end
    char call[32] = {};    ///< that failed
    char text[1000] = {};  ///< what was wrong
};

namespace runner {

inline constexpr unsigned patience = 100; ///< seconds: far more than any scenario takes

/// Ends a process that hangs, and says where.
inline void bark(int) {
    static constexpr char text[] = "hangs, here:\n";
    [[maybe_unused]] auto n = ::write(STDERR_FILENO, text, sizeof text - 1);
    void* frames[40];
    ::backtrace_symbols_fd(frames, ::backtrace(frames, 40), STDERR_FILENO);
    ::_exit(98);
}

/// Empty if it succeeded, or ended with an error that it may end with.
inline std::string attempt(const scenario& s, bool may_fail) {
    std::string found;
    const auto note = [&](const std::string& what) {
        const faults::exempt_scope scope;
        found = what;
    };
    try {
        s.run();
    } catch (const wrong& e) {
        note(e.what());
    } catch (const std::bad_alloc&) {
        note(may_fail ? "" : "std::bad_alloc without a reason");
    } catch (const std::system_error& e) {
        note(may_fail ? "" : std::string("without a reason: ") + e.what());
    } catch (const std::exception& e) {
        note(std::string("not a documented error: ") + e.what());
    }
    // Some may still be about to end. One that was lost is what the watchdog is for.
    const faults::exempt_scope scope;
    if (auto* const hub = detail::hub_core::current_or_null(); hub != nullptr) {
        hub->drain();
    }
    return found;
}

inline void add(std::string& all, const char* when, const std::string& what) {
    if (!what.empty()) {
        all += std::string(when) + ": " + what + "; ";
    }
}

/// In a process of its own.
[[noreturn]] inline void run_child(const scenario& s, const faults::plan& p, bool warm, int to) {
    const long blocks_before = faults::live_blocks();
    std::string bad;
    outcome o;
    {
        const faults::exempt_scope scope;
        ::signal(SIGALRM, &bark);
        ::signal(SIGPIPE, SIG_IGN);
        const detail::lost_on_purpose by_the_loader;
        void* frame = nullptr;
        ::backtrace(&frame, 1); // loads what it needs
        ::alarm(patience);
    }
    std::shared_ptr<void> kept;
    {
        const faults::exempt_scope scope;
        kept = s.prepare != nullptr ? s.prepare() : nullptr;
    }
    if (warm) {
        add(bad, "before", attempt(s, false));
    }
    faults::arm(p);
    std::string armed = attempt(s, true);
    faults::disarm();
    add(bad, "armed", armed);
    o.hit = faults::was_hit();
    o.variants = faults::variants();
    for (int i = 0; i < 2; ++i) {
        add(bad, "after", attempt(s, false));
    }
    armed.clear();
    armed.shrink_to_fit();
    o.good = bad.empty();
    std::snprintf(o.call, sizeof o.call, "%s", faults::hit_name());
    std::snprintf(o.text, sizeof o.text, "%s", bad.c_str());
    bad = std::string();
    o.blocks = faults::live_blocks() - blocks_before;
    o.fds = tendril_test::open_fds();
#ifdef TENDRIL_ASAN
    if (__lsan_do_recoverable_leak_check() != 0) {
        o.good = false;
        std::snprintf(o.text, sizeof o.text, "leaks");
    }
#endif
    if (!o.good && o.hit) {
        std::fprintf(stderr, "failed in %s, called by\n", faults::hit_name());
        faults::print_hit(STDERR_FILENO);
    }
    const bool sent = ::write(to, &o, sizeof o) == static_cast<ssize_t>(sizeof o);
    ::_exit(sent ? 0 : 97);
}

inline outcome run(const scenario& s, const faults::plan& p, bool warm) {
    int ends[2];
    outcome o;
    if (::pipe(ends) != 0) {
        return o;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        run_child(s, p, warm, ends[1]);
    }
    ::close(ends[1]);
    if (::read(ends[0], &o, sizeof o) != static_cast<ssize_t>(sizeof o)) {
        o = {};
        o.hit = true;
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) {
        o.good = false;
        std::snprintf(o.text, sizeof o.text, "%s %d",
                      WIFSIGNALED(status) ? "killed by signal" : "exit status",
                      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return o;
}

inline bool is_level(const outcome& o, const outcome& clean, [[maybe_unused]] long slack) {
#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN) // their runtimes allocate and free as well
    return o.fds <= clean.fds;
#else
    return o.fds <= clean.fds && o.blocks <= clean.blocks + slack;
#endif
}

} // namespace runner

/// The n-th call fails, n = 0, 1, 2…: cold in a process where nothing was done before, warm in one
/// where the scenario passed once.
/// With `onwards` all that follow fail too.
inline void fail_in_turn(const scenario& s, faults::kind what, bool warm, bool onwards = false) {
    if (const char* only = std::getenv("TENDRIL_FAULT_AT")) { // for a debugger: NUMBER[:ERROR]
        char* rest = nullptr;
        const unsigned long number = std::strtoul(only, &rest, 10);
        const unsigned long v = *rest == ':' ? std::strtoul(rest + 1, nullptr, 10) : 0;
        runner::run_child(s, {what, number, static_cast<unsigned>(v), onwards}, warm,
                          STDOUT_FILENO);
    }
    const outcome clean = runner::run(s, {}, warm);
    ASSERT_TRUE(clean.good) << clean.text;
    int bad = 0;
    bool more = true;
    unsigned long at = 0;
    // Without memory an answer cannot be read, and is waited for.
    const unsigned long step = onwards && s.prepare != nullptr ? 7 : 1;
    for (; more && bad < 5; at += step) {
        unsigned variants = 1;
        for (unsigned v = 0; v < variants && bad < 5; ++v) {
            outcome o;
            // What libc and its threads keep varies; what is lost is lost each time.
            bool level = false;
            for (int tries = 0; tries < 5 && !level; ++tries) {
                o = runner::run(s, {what, at, v, onwards}, warm);
                level = !o.hit || runner::is_level(o, clean, s.slack);
            }
            more = o.hit;
#ifndef TENDRIL_ASAN // the paths after the call hardly differ, and looking for leaks takes time
            variants = o.hit ? o.variants : 1;
#endif
            if (!o.good || !level) {
                ++bad;
                ADD_FAILURE() << "call " << at << ", " << o.call << ", error " << v << ": "
                              << o.text << " fds " << o.fds << " of " << clean.fds << ", blocks "
                              << o.blocks << " of " << clean.blocks;
            }
        }
    }
    testing::Test::RecordProperty("calls", static_cast<int>(at) - 1);
}

} // namespace tendril::test
