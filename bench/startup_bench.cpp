// SPDX-License-Identifier: BSL-1.0
// What a program that does nothing costs from its start to its end, and what it occupies by then.

#include "bench/support/measure.hpp"

#include <cerrno>
#include <string>
#include <vector>

#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct program {
    char** command;
    std::vector<char*> environment;
};

void must_succeed(int status) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        std::fprintf(stderr, "the program failed\n");
        std::exit(1);
    }
}

std::int64_t time_of(const program& p) {
    const std::int64_t begin = bench::now_ns();
    pid_t pid = 0;
    errno = posix_spawn(&pid, p.command[0], nullptr, nullptr, p.command, p.environment.data());
    int status = 0;
    if (errno != 0 || waitpid(pid, &status, 0) != pid) {
        bench::fail(p.command[0]);
    }
    const std::int64_t end = bench::now_ns();
    must_succeed(status);
    return end - begin;
}

/// The peak since the last exec, read when the program is about to end: its memory is still there.
std::size_t peak_of(const program& p) {
    const pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        execve(p.command[0], p.command, p.environment.data());
        _exit(127);
    }
    std::size_t peak = 0;
    int status = 0;
    for (bool first = true; waitpid(pid, &status, 0) == pid && WIFSTOPPED(status); first = false) {
        const int event = status >> 16;
        int signal = event == 0 && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0;
        if (first) {
            ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC);
            signal = 0;
        } else if (event == PTRACE_EVENT_EXIT) {
            peak = bench::memory("VmHWM", pid);
        }
        ptrace(PTRACE_CONT, pid, nullptr, signal);
    }
    must_succeed(status);
    return peak;
}

} // namespace

int main(int argc, char** argv) {
    const int times = argc >= 4 ? std::atoi(argv[1]) : 0;
    if (times < 1) {
        bench::usage(argv[0], "TIMES LD_PRELOAD PROGRAM [ARGUMENT]...");
    }
    std::string preload = std::string("LD_PRELOAD=") + argv[2];
    program p{argv + 3, {}};
    for (char** each = environ; *each != nullptr; ++each) {
        p.environment.push_back(*each);
    }
    if (*argv[2] != '\0') {
        p.environment.push_back(preload.data());
    }
    p.environment.push_back(nullptr);
    std::vector<std::int64_t> walls;
    for (int i = 0; i < times; ++i) {
        walls.push_back(time_of(p));
    }
    bench::report("wall", static_cast<double>(bench::median(walls)) / 1e6, "ms");
    bench::report("peak", static_cast<double>(peak_of(p)) / 1024, "KiB");
}
