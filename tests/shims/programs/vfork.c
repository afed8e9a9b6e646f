// SPDX-License-Identifier: BSL-1.0
// The child of a vfork closes and replaces fds that its parent goes on using, and changes what is
// to handle signals, in which the kernel takes it for a process of its own.
#include "report.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int woken[2];
static volatile sig_atomic_t runs_of_parents, runs_of_childs;

static void parents(int number) {
    ++runs_of_parents;
    write(woken[1], &(char){(char)number}, 1);
}

static void childs(int number, siginfo_t* info, void* context) {
    ++runs_of_childs;
}

static void show(const char* what, const struct sigaction* action) {
    void* handler = (void*)action->sa_handler;
    printf("%-30s %s, flags %x, masks SIGHUP: %d\n", what,
           handler == (void*)SIG_DFL   ? "default"
           : handler == (void*)SIG_IGN ? "ignored"
           : handler == (void*)parents ? "parent's"
           : handler == (void*)childs  ? "child's"
                                       : "?",
           action->sa_flags, sigismember(&action->sa_mask, SIGHUP));
}

static void show_present(const char* what) {
    struct sigaction present;
    for (int number = SIGUSR1; number <= SIGALRM; ++number) {
        if (number != SIGSEGV) {
            CHECK(sigaction(number, NULL, &present) == 0);
            show(what, &present);
        }
    }
}

static void handlers(void) {
    CHECK(pipe(woken) == 0);
    struct sigaction action = {.sa_handler = parents, .sa_flags = SA_RESTART};
    struct sigaction sees[8];
    void* volatile returned[4]; // or nobody seems to read it before _exit
    char byte;
    sigaddset(&action.sa_mask, SIGHUP);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(signal(SIGUSR2, parents) == SIG_DFL);

    pid_t child = vfork();
    if (child == 0) {
        // In memory that is the parent's too.
        sigaction(SIGUSR1, NULL, &sees[0]);
        struct sigaction own = {.sa_sigaction = childs, .sa_flags = SA_SIGINFO};
        sigaction(SIGUSR1, &own, &sees[1]);
        sigaction(SIGUSR1, NULL, &sees[2]);
        raise(SIGUSR1);
        siginterrupt(SIGUSR2, 1);
        sigaction(SIGUSR2, NULL, &sees[3]);
        raise(SIGUSR2);
        returned[0] = (void*)signal(SIGUSR2, (sighandler_t)childs);
        returned[1] = (void*)sysv_signal(SIGUSR2, (sighandler_t)childs);
        sigaction(SIGUSR2, NULL, &sees[4]);
        returned[2] = (void*)signal(SIGPIPE, (sighandler_t)childs);
        returned[3] = (void*)sigset(SIGPIPE, SIG_IGN);
        sigaction(SIGPIPE, NULL, &sees[5]);
        action.sa_flags = 0;
        sigaction(SIGALRM, &action, &sees[6]);
        sigaction(SIGALRM, NULL, &sees[7]);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, NULL, 0) == child);
    for (int i = 0; i < 8; ++i) {
        show("in the child", &sees[i]);
    }
    for (int i = 0; i < 4; ++i) {
        show("returned there", &(struct sigaction){.sa_handler = (sighandler_t)returned[i]});
    }
    printf("runs: %d, %d\n", runs_of_parents, runs_of_childs);
    show_present("after the child");
    CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
    printf("runs: %d, %d\n", runs_of_parents, runs_of_childs);
    REPORT(read(woken[0], &(char[8]){0}, unknown(8)));

    // Restarts as the parent has it; the handler writes what is read.
    struct itimerval soon = {{0, 0}, {0, 20000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    REPORT(read(woken[0], &byte, unknown(1)));

    // A fork's child has tables of its own.
    fflush(stdout);
    if ((child = fork()) == 0) {
        CHECK(signal(SIGUSR1, SIG_IGN) == parents && signal(SIGALRM, parents) == parents);
        show_present("in a fork's child");
        fflush(stdout);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, NULL, 0) == child);
    show_present("after a fork's child");
    close(woken[0]);
    close(woken[1]);
}

int main(void) {
    int s[2], t[2];
    char buffer[16];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(t) == 0);
    // Known to the hub before the child touches them.
    struct timeval limit = {0, 10000};
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    REPORT(recv(s[0], buffer, sizeof buffer, 0));
    REPORT(poll(&(struct pollfd){t[0], POLLIN, 0}, 1, 5));

    handlers();
    for (int i = 0; i < 3; ++i) {
        pid_t child = vfork();
        if (child == 0) {
            dup2(t[1], s[0]);
            dup2(t[1], 1);
            write(1, "child", 5);
            close(s[0]);
            close(t[0]);
            close_range(3, ~0U, 0);
            execl("/bin/echo", "echo", "", (char*)NULL);
            _exit(9);
        }
        int status = -1;
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        REPORT(status);
        REPORT(read(t[0], buffer, unknown(6))); // "child\n"
        REPORT(send(s[1], "x", 1, 0));
        REPORT(recv(s[0], buffer, unknown(1), 0));
        REPORT(recv(s[0], buffer, unknown(1), 0));
        REPORT(poll(&(struct pollfd){t[0], POLLIN, 0}, 1, 5));
    }
    return 0;
}
