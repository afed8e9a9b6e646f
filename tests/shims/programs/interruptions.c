// SPDX-License-Identifier: BSL-1.0
// What ends a call that waits: handlers with and without SA_RESTART, as signal(7) lists it; and the
// calls that wait for signals. What handlers are installed is shown as the program installed it.
#include "report.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

// Another process sends the signals, each when this one sleeps: a timer's may come too early.
struct shared {
    int armed;
    volatile sig_atomic_t runs; // of the handler
};
static struct shared* shared;
static int to_wake = -1; // written to in the second run: who was restarted must end, too
static pid_t to_end;

static void handler(int number) {
    (void)number;
    int saved = errno;
    if (++shared->runs == 2) {
        if (to_wake >= 0) {
            ssize_t n = write(to_wake, "\n", 1);
            (void)n;
        }
        if (to_end > 0) {
            kill(to_end, SIGKILL);
        }
    }
    errno = saved;
}

static int to_sender[2], from_sender[2];

static void await(int fd) {
    char c;
    while (read(fd, &c, 1) != 1) {
    }
}

static int is_armed(void) {
    return __atomic_load_n(&shared->armed, __ATOMIC_ACQUIRE);
}

static void set_armed(int on) {
    __atomic_store_n(&shared->armed, on, __ATOMIC_RELEASE);
}

// How often it has gone to sleep, if it sleeps; otherwise -1.
static long sleeps(pid_t process) {
    char name[40], line[200], state = '?';
    long times = -1;
    snprintf(name, sizeof name, "/proc/%d/status", process);
    FILE* status = fopen(name, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        sscanf(line, "State: %c", &state);
        sscanf(line, "voluntary_ctxt_switches: %ld", &times);
    }
    if (status != NULL) {
        fclose(status);
    }
    return state == 'S' ? times : -1;
}

static void send_signals(pid_t to) {
    for (;;) {
        await(to_sender[0]);
        for (int sent = 0; is_armed() && sent < 2;) {
            const long before = sleeps(to);
            if (shared->runs == sent && before >= 0 && sleeps(to) == before && is_armed()) {
                kill(to, SIGALRM);
                ++sent;
            }
        }
        await(to_sender[0]);
        CHECK(write(from_sender[1], "x", 1) == 1);
    }
}

static pid_t begin_sender(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED && pipe2(to_sender, O_CLOEXEC) == 0 &&
          pipe2(from_sender, O_CLOEXEC) == 0);
    const pid_t to = getpid(), sender = fork();
    if (sender == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        send_signals(to);
    }
    CHECK(sender > 0);
    return sender;
}

static void begin_signals(void) {
    shared->runs = 0;
    set_armed(1);
    CHECK(write(to_sender[1], "b", 1) == 1);
}

// None comes after this.
static void end_signals(void) {
    set_armed(0);
    CHECK(write(to_sender[1], "e", 1) == 1);
    await(from_sender[0]);
}

static void handler_with_info(int number, siginfo_t* info, void* context) {
    CHECK(context != NULL && info->si_signo == number);
    handler(number);
}

static void install(int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
}

// The call, and whether it saw one run of the handler or went on to the second.
#define INTERRUPTED(call)                                                                          \
    do {                                                                                           \
        begin_signals();                                                                           \
        REPORT(call);                                                                              \
        int runs_ = shared->runs;                                                                  \
        end_signals();                                                                             \
        printf("    went on: %d\n", runs_ > 1);                                                    \
    } while (0)

static void drain(int fd) {
    char c[100];
    while (recv(fd, c, sizeof c, MSG_DONTWAIT) > 0) {
    }
}

static void bytes(void) {
    int ends[2];
    char c[10];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    to_wake = ends[1];
    INTERRUPTED(read(ends[0], c, 1));
    drain(ends[0]);
    INTERRUPTED(recv(ends[0], c, 1, 0));
    drain(ends[0]);
    struct iovec part = {c, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    INTERRUPTED(readv(ends[0], &part, 1));
    drain(ends[0]);
    INTERRUPTED(recvmsg(ends[0], &message, 0));
    drain(ends[0]);
    // With a timeout it is never restarted.
    struct timeval long_time = {100, 0};
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof long_time) == 0);
    INTERRUPTED(recv(ends[0], c, 1, 0));
    drain(ends[0]);
    close(ends[0]);
    close(ends[1]);
    to_wake = -1;

    int both[2];
    CHECK(pipe(both) == 0);
    to_wake = both[1];
    INTERRUPTED(read(both[0], c, 1));
    close(both[0]);
    close(both[1]);
    to_wake = -1;
}

// What has done a part returns it, with SA_RESTART too.
#define ENDS_WITH_A_PART(call, size)                                                               \
    do {                                                                                           \
        begin_signals();                                                                           \
        ssize_t n_ = (call);                                                                       \
        end_signals();                                                                             \
        printf("%-60s a part: %d\n", #call, n_ > 0 && n_ < (ssize_t)(size));                       \
    } while (0)

static char much[4 << 20];

static void parts(void) {
    int ends[2], both[2];
    CHECK(pipe(both) == 0);
    ENDS_WITH_A_PART(write(both[1], much, sizeof much), sizeof much);
    close(both[0]);
    close(both[1]);

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    ENDS_WITH_A_PART(send(ends[0], much, sizeof much, 0), sizeof much);
    CHECK(write(ends[1], "abc", 3) == 3);
    ENDS_WITH_A_PART(recv(ends[0], much, 100, MSG_WAITALL), 100);
    close(ends[0]);
    close(ends[1]);

    FILE* file = tmpfile();
    CHECK(file != NULL && ftruncate(fileno(file), sizeof much) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    ENDS_WITH_A_PART(sendfile(ends[0], fileno(file), NULL, sizeof much), sizeof much);
    close(ends[0]);
    close(ends[1]);
    fclose(file);
}

static void between_pipes(void) {
    int from[2], to[2];
    char c[10];
    CHECK(pipe(from) == 0 && pipe(to) == 0);
    to_wake = from[1];
    INTERRUPTED(tee(from[0], to[1], 10, 0));
    CHECK(write(from[1], "x", 1) == 1 && read(from[0], c, 10) > 0);
    INTERRUPTED(splice(from[0], NULL, to[1], NULL, 10, 0));
    struct iovec piece = {c, 1};
    INTERRUPTED(vmsplice(from[0], &piece, 1, 0));
    to_wake = -1;
    for (int i = 0; i < 2; ++i) {
        close(from[i]);
        close(to[i]);
    }
}

static void children(void) {
    int status;
    for (int i = 0; i < 2; ++i) {
        to_end = fork();
        if (to_end == 0) {
            for (;;) {
                pause();
            }
        }
        INTERRUPTED(waitpid(i == 0 ? to_end : -1, &status, 0) > 0 ? 1 : -1);
        kill(to_end, SIGKILL);
        while (waitpid(to_end, &status, 0) < 0 && errno == EINTR) {
        }
    }
    to_end = 0;
    int ends[2];
    char command[40];
    CHECK(pipe(ends) == 0 && ends[0] < 10); // as far as sh can count
    snprintf(command, sizeof command, "read line <&%d", ends[0]);
    to_wake = ends[1];
    INTERRUPTED((status = system(command), errno = ENOTTY, status));
    FILE* stream = popen(command, "r");
    INTERRUPTED((status = pclose(stream), errno = ENOTTY, status));
    to_wake = -1;
    close(ends[0]);
    close(ends[1]);
}

static void never_restarted(void) {
    struct timespec minute = {60, 0}, left = {0, 0};
    struct timeval tv = {60, 0};
    struct epoll_event event;
    int epfd = epoll_create1(0);
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct pollfd p = {ends[0], POLLIN, 0};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    INTERRUPTED(poll(NULL, 0, 60000));
    INTERRUPTED(poll(&p, 1, -1));
    INTERRUPTED(ppoll(&p, 1, &minute, NULL));
    INTERRUPTED(select(ends[0] + 1, &set, NULL, NULL, &tv));
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    INTERRUPTED(pselect(ends[0] + 1, &set, NULL, NULL, &minute, NULL));
    INTERRUPTED(epoll_wait(epfd, &event, 1, 60000));
    INTERRUPTED(epoll_pwait(epfd, &event, 1, -1, NULL));
    INTERRUPTED(nanosleep(&minute, &left));
    printf("left some: %d\n", left.tv_sec > 0);
    INTERRUPTED(clock_nanosleep(CLOCK_MONOTONIC, 0, &minute, &left));
    INTERRUPTED(clock_nanosleep(CLOCK_REALTIME, 0, &minute, &left));
    INTERRUPTED(thrd_sleep(&minute, &left));
    INTERRUPTED(usleep(60000000));
    INTERRUPTED(sleep(60) > 0);
    INTERRUPTED(pause());
    sigset_t none, alarm_only;
    sigemptyset(&none);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    INTERRUPTED(sigsuspend(&none));
    sigprocmask(SIG_BLOCK, &alarm_only, NULL);
    INTERRUPTED(sigsuspend(&none));
    // Blocked signals end nothing.
    int number = 0;
    struct itimerval every = {{0, 30000}, {0, 30000}}, none_any_more = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    REPORT(usleep(50000));
    REPORT(sigwait(&alarm_only, &number));
    printf("got %d, runs %d\n", number == SIGALRM, shared->runs);
    siginfo_t info;
    REPORT(sigwaitinfo(&alarm_only, &info) == SIGALRM);
    REPORT(sigtimedwait(&alarm_only, &info, &minute) == SIGALRM);
    printf("from a timer: %d\n", info.si_signo == SIGALRM);
    CHECK(setitimer(ITIMER_REAL, &none_any_more, NULL) == 0);
    struct timespec at_once = {0, 0}, soon = {0, 10000000};
    while (sigtimedwait(&alarm_only, NULL, &at_once) > 0) {
    }
    REPORT(sigtimedwait(&alarm_only, &info, &at_once));
    REPORT(sigtimedwait(&alarm_only, &info, &soon));
    REPORT(sigtimedwait(&alarm_only, &info, &(struct timespec){0, -1}));
    sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGUSR1);
    sigprocmask(SIG_BLOCK, &other, NULL);
    INTERRUPTED(sigtimedwait(&other, &info, &minute));
    close(epfd);
    close(ends[0]);
    close(ends[1]);
}

static void connections(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(bind(listener, (struct sockaddr*)&address, size) == 0 && listen(listener, 1) == 0);
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    INTERRUPTED(accept(listener, NULL, NULL));
    close(listener);
}

static void show(int number) {
    struct sigaction now;
    memset(&now, 0, sizeof now);
    CHECK(sigaction(number, NULL, &now) == 0);
    const char* who = now.sa_handler == SIG_DFL               ? "default"
                      : now.sa_handler == SIG_IGN             ? "ignored"
                      : now.sa_handler == handler             ? "handler"
                      : now.sa_sigaction == handler_with_info ? "handler with info"
                                                              : "somebody's";
    printf("%s, flags %x, masked %d\n", who, (unsigned)now.sa_flags & ~0x04000000U,
           sigismember(&now.sa_mask, SIGUSR2));
}

static void what_is_shown(void) {
    struct sigaction action = {.sa_sigaction = handler_with_info,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER};
    struct sigaction before;
    sigaddset(&action.sa_mask, SIGUSR2);
    show(SIGUSR1);
    REPORT(sigaction(SIGUSR1, &action, NULL));
    show(SIGUSR1);
    raise(SIGUSR1);
    action = (struct sigaction){.sa_handler = handler};
    REPORT(sigaction(SIGUSR1, &action, &before));
    printf("before: %d\n", before.sa_sigaction == handler_with_info);
    show(SIGUSR1);
    REPORT(signal(SIGUSR1, SIG_IGN) == handler);
    show(SIGUSR1);
    REPORT(signal(SIGUSR1, handler) == SIG_IGN);
    show(SIGUSR1);
    REPORT(siginterrupt(SIGUSR1, 1));
    show(SIGUSR1);
    REPORT(signal(SIGUSR1, handler) == handler);
    show(SIGUSR1);
    REPORT(siginterrupt(SIGUSR1, 0));
    show(SIGUSR1);
    REPORT(sysv_signal(SIGUSR1, handler) == handler);
    show(SIGUSR1);
    shared->runs = 0;
    raise(SIGUSR1);
    printf("once: %d\n", shared->runs);
    show(SIGUSR1);
    REPORT(sigset(SIGUSR1, handler) == SIG_DFL);
    show(SIGUSR1);
    REPORT(sigset(SIGUSR1, SIG_HOLD) == handler);
    REPORT(sigset(SIGUSR1, SIG_DFL) == SIG_HOLD);
    show(SIGUSR1);
    REPORT(bsd_signal(SIGUSR1, handler) == SIG_DFL);
    REPORT(sigaction(SIGKILL, &action, NULL));
    REPORT(sigaction(0, &action, NULL));
    REPORT(sigaction(65, &action, NULL));
    REPORT(signal(SIGKILL, handler) == SIG_ERR);
    REPORT(signal(-1, handler) == SIG_ERR);
    REPORT(sigaction(SIGRTMAX, &action, &before));
    show(SIGRTMAX);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    unsetenv("LD_PRELOAD");
    const pid_t sender = begin_sender();
    what_is_shown();
    const int flags[] = {0, SA_RESTART};
    for (int i = 0; i < 2; ++i) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        printf("--- flags %x\n", (unsigned)flags[i]);
        install(flags[i]);
        bytes();
        parts();
        between_pipes();
        children();
        never_restarted();
    }
    connections();
    CHECK(kill(sender, SIGKILL) == 0 && waitpid(sender, NULL, 0) == sender);
    return 0;
}
