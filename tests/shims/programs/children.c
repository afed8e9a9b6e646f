// SPDX-License-Identifier: BSL-1.0
// Waiting for children in all the ways there are.
#include "asleep.h"
#include "report.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

// A child that ends with `status` as soon as its parent waits.
static pid_t child(int status) {
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        until_parent_asleep();
        _exit(status);
    }
    return pid;
}

// Stops, and when it goes on, ends with a byte from its parent.
static int to_go_on[2];
static pid_t stopping_child(void) {
    CHECK(pipe(to_go_on) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        char c;
        raise(SIGSTOP);
        _exit(read(to_go_on[0], &c, 1) == 1 ? 3 : 4);
    }
    return pid;
}

static void show(const char* what, int status) {
    if (WIFEXITED(status)) {
        printf("%s: exited %d\n", what, WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        printf("%s: killed %d\n", what, WTERMSIG(status));
    } else if (WIFSTOPPED(status)) {
        printf("%s: stopped %d\n", what, WSTOPSIG(status));
    } else if (WIFCONTINUED(status)) {
        printf("%s: continued\n", what);
    }
}

static void show_info(const char* what, const siginfo_t* info, pid_t pid) {
    printf("%s: signal %d code %d status %d own %d\n", what, info->si_signo, info->si_code,
           info->si_status, info->si_pid == pid);
}

static void ends(void) {
    int status = 0;
    struct rusage usage;
    pid_t pid = child(1);
    CHECK(waitpid(pid, &status, 0) == pid);
    show("waitpid", status);
    pid = child(2);
    CHECK(waitpid(-1, &status, 0) == pid);
    show("waitpid any", status);
    pid = child(3);
    CHECK(waitpid(0, &status, 0) == pid);
    show("waitpid group", status);
    pid = child(4);
    CHECK(waitpid(-getpgrp(), &status, 0) == pid);
    show("waitpid -group", status);
    pid = child(5);
    CHECK(wait(&status) == pid);
    show("wait", status);
    pid = child(6);
    CHECK(wait3(&status, 0, &usage) == pid);
    show("wait3", status);
    pid = child(7);
    memset(&usage, 0xff, sizeof usage);
    CHECK(wait4(pid, &status, 0, &usage) == pid);
    show("wait4", status);
    printf("usage: %d\n", usage.ru_maxrss > 0);
    pid = child(8);
    CHECK(waitpid(pid, NULL, 0) == pid);
    pid = fork();
    if (pid == 0) {
        until_parent_asleep();
        kill(getpid(), SIGKILL);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    show("killed", status);
}

static void infos(void) {
    siginfo_t info;
    pid_t pid = child(9);
    memset(&info, 0, sizeof info);
    REPORT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    show_info("left waitable", &info, pid);
    REPORT(waitid(P_PID, (id_t)pid, &info, WEXITED));
    show_info("taken", &info, pid);
    REPORT(waitid(P_PID, (id_t)pid, &info, WEXITED));
    pid = child(10);
    REPORT(waitid(P_ALL, 0, &info, WEXITED));
    show_info("any", &info, pid);
    pid = child(11);
    REPORT(waitid(P_PGID, (id_t)getpgrp(), NULL, WEXITED));
    pid = child(12);
    memset(&info, 7, sizeof info);
    REPORT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
    printf("nothing yet: %d %d\n", info.si_signo, info.si_pid);
    REPORT(waitid(P_PID, (id_t)pid, &info, WEXITED));
}

static void stops(void) {
    int status = 0;
    siginfo_t info;
    pid_t pid = stopping_child();
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    show("stop", status);
    REPORT(kill(pid, SIGCONT));
    CHECK(waitpid(pid, &status, WCONTINUED) == pid);
    show("go on", status);
    CHECK(write(to_go_on[1], "x", 1) == 1);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    show("end", status);
    pid = stopping_child();
    REPORT(waitid(P_ALL, 0, &info, WSTOPPED | WEXITED));
    show_info("stop", &info, pid);
    kill(pid, SIGKILL);
    REPORT(waitid(P_ALL, 0, &info, WSTOPPED | WEXITED));
    show_info("end", &info, pid);
}

// What a debugger sees of its child.
static void traces(void) {
    int status = 0;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        until_parent_asleep();
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGUSR1);
        raise(SIGUSR2);
        _exit(5);
    }
    for (int i = 0; i < 3; ++i) {
        CHECK(waitpid(pid, &status, 0) == pid);
        show("traced", status);
        ptrace(PTRACE_CONT, pid, NULL, NULL);
    }
}

static void errors(void) {
    int status = 0;
    REPORT(waitpid(-1, &status, 0));
    REPORT(wait(NULL));
    REPORT(waitpid(getpid(), &status, 0));
    REPORT(waitpid(-12345678, &status, 0));
    REPORT(waitpid(-1, &status, 0x40));
    REPORT(waitpid(-1, &status, WNOHANG));
    siginfo_t info;
    REPORT(waitid(P_ALL, 0, &info, 0));
    REPORT(waitid((idtype_t)77, 0, &info, WEXITED));
    pid_t pid = child(0);
    REPORT(waitpid(pid, &status, WNOHANG));
    CHECK(waitpid(pid, &status, 0) == pid);
    // Children that are not waited for leave nothing; who waits learns that they are gone.
    signal(SIGCHLD, SIG_IGN);
    pid = child(0);
    REPORT(waitpid(pid, &status, 0));
    child(0);
    child(0);
    REPORT(waitpid(-1, &status, 0));
    signal(SIGCHLD, SIG_DFL);
}

static volatile sig_atomic_t children_ended;
static void on_child(int signal) {
    (void)signal;
    ++children_ended;
}

static void commands(void) {
    REPORT(system("exit 3") >> 8);
    REPORT(system("kill -9 $$"));
    REPORT(system("exec nonesuch 2>/dev/null") >> 8);
    REPORT(system(NULL) != 0);
    // The child's signals are as its parent's were.
    signal(SIGCHLD, on_child);
    REPORT(system("grep -q '^SigIgn:.*0$' /proc/self/status") >> 8);
    REPORT(system("grep -q '^SigBlk:[^1-9]*$' /proc/self/status") >> 8);
    printf("handled: %d\n", children_ended);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("blocked: %d\n", sigismember(&mask, SIGCHLD));
    signal(SIGCHLD, SIG_DFL);
    struct sigaction now;
    sigaction(SIGINT, NULL, &now);
    printf("interrupt: %d\n", now.sa_handler == SIG_DFL);

    char line[100];
    FILE* from = popen("sleep 0.02; echo hello; exit 4", "r");
    CHECK(from != NULL && fgets(line, sizeof line, from) != NULL);
    printf("%s", line);
    FILE* to = popen("cat >/dev/null; exit 6", "we");
    CHECK(to != NULL && fputs("some", to) >= 0);
    printf("close on exec: %d %d\n", fcntl(fileno(from), F_GETFD), fcntl(fileno(to), F_GETFD));
    REPORT(pclose(to) >> 8);
    REPORT(pclose(from) >> 8);
    // The second does not keep the first one's pipe open.
    FILE* first = popen("cat; exit 7", "w");
    FILE* second = popen("sleep 0.05; exit 8", "r");
    REPORT(pclose(first) >> 8);
    REPORT(fclose(second) >> 8);
    errno = 0;
    printf("no mode: %d", popen("true", "") == NULL);
    printf(" %d\n", errno);
    errno = 0;
    printf("two modes: %d", popen("true", "rw") == NULL);
    printf(" %d\n", errno);

    pid_t pid = 0;
    int status = 0;
    char* arguments[] = {"sh", "-c", "sleep 0.02; exit 9", NULL};
    REPORT(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ));
    CHECK(waitpid(pid, &status, 0) == pid);
    show("posix_spawn", status);
    REPORT(posix_spawnp(&pid, "sh", NULL, NULL, arguments, environ));
    CHECK(waitpid(pid, &status, 0) == pid);
    show("posix_spawnp", status);
    REPORT(posix_spawn(&pid, "/nonesuch", NULL, NULL, arguments, environ));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    unsetenv("LD_PRELOAD"); // the shells that it starts need none
    ends();
    infos();
    stops();
    traces();
    errors();
    commands();
    return 0;
}
