// SPDX-License-Identifier: BSL-1.0
// Writes past a limit or into a pipe that nobody reads, which raise signals on the thread that
// makes them; and waits for signals when no fd is left. The first argument is a file to work on.
#include "report.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

static volatile sig_atomic_t raised;
static pthread_t owner;

static void count(int number) {
    raised += pthread_equal(pthread_self(), owner) ? 1 : 100;
}

// What a call did, and how many signals came before it returned.
#define REPORT_RAISED(call)                                                                        \
    do {                                                                                           \
        raised = 0;                                                                                \
        REPORT(call);                                                                              \
        printf("raised %d\n", (int)raised);                                                        \
    } while (0)

static char big[100000];

static void limit_size(rlim_t size) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = size;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void files(const char* path) {
    struct iovec parts[] = {{big, 15000}, {big, 15000}};
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    CHECK(fd >= 0);
    signal(SIGXFSZ, count);
    limit_size(20000);
    REPORT_RAISED(write(fd, big, sizeof big));
    REPORT_RAISED(write(fd, big, 100));
    REPORT_RAISED(lseek(fd, 0, SEEK_SET));
    REPORT_RAISED(writev(fd, parts, 2));
    REPORT_RAISED(writev(fd, parts, 2));
    REPORT_RAISED(pwrite(fd, big, 5000, 19000));
    REPORT_RAISED(pwrite(fd, big, 5000, 20000));
    REPORT_RAISED(pwritev(fd, parts, 2, 1000));
    REPORT_RAISED(fallocate(fd, 0, 0, 50000));
    REPORT_RAISED(posix_fallocate(fd, 0, 50000));
    close(fd);
    fd = open(path, O_WRONLY | O_TRUNC | O_APPEND);
    CHECK(fd >= 0);
    REPORT_RAISED(pwrite(fd, big, 15000, 0));
    REPORT_RAISED(pwrite(fd, big, 15000, 0));
    REPORT_RAISED(pwrite(fd, big, 15000, 0));
    close(fd);
    fd = open(path, O_RDWR | O_TRUNC);
    off64_t at = 20000;
    CHECK(fd >= 0);
    REPORT_RAISED(pwrite(fd, big, 10, 19990));
    REPORT_RAISED(copy_file_range(fd, NULL, fd, &at, 10, 0));
    sigset_t blocked, pending;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGXFSZ);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    REPORT_RAISED(fallocate(fd, 0, 0, 50000));
    CHECK(sigpending(&pending) == 0);
    printf("pending %d\n", sigismember(&pending, SIGXFSZ));
    raised = 0;
    CHECK(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL) == 0);
    printf("raised %d\n", (int)raised);
    limit_size(RLIM_INFINITY);
    close(fd);
}

static void pipes(const char* path) {
    int ends[2], fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
    off64_t at = 0;
    CHECK(fd >= 0 && write(fd, big, 1000) == 1000 && pipe(ends) == 0);
    close(ends[0]);
    signal(SIGPIPE, count);
    REPORT_RAISED(splice(fd, &at, ends[1], NULL, 100, 0));
    REPORT_RAISED(write(ends[1], "x", 1));
    close(ends[1]);
    close(fd);
}

static void deaths(const char* path) {
    for (int number = 0; number < 2; ++number) {
        fflush(stdout);
        const pid_t pid = fork();
        if (pid == 0) {
            struct rlimit none = {0, 0};
            int ends[2], fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
            CHECK(fd >= 0 && setrlimit(RLIMIT_CORE, &none) == 0 && pipe(ends) == 0);
            begin_idle_thread();
            signal(number == 0 ? SIGXFSZ : SIGPIPE, SIG_DFL);
            if (number == 0) {
                limit_size(1000);
                fallocate(fd, 0, 0, 5000);
            } else {
                off64_t at = 0;
                CHECK(write(fd, big, 1000) == 1000);
                close(ends[0]);
                splice(fd, &at, ends[1], NULL, 100, 0);
            }
            _exit(3);
        }
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid);
        printf("killed %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
    }
}

static void alarm_soon(void) {
    const struct itimerval soon = {.it_value = {0, 20000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
}

// For a signal that is otherwise blocked.
static void no_fd_left(void) {
    const struct timespec brief = {0, 30000000};
    struct epoll_event event;
    sigset_t alarms, before, through;
    struct rlimit limit;
    int number = 0, last = -1, epfd = epoll_create1(0);
    CHECK(epfd >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    signal(SIGALRM, count);
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    CHECK(pthread_sigmask(SIG_BLOCK, &alarms, &before) == 0);
    through = before;
    // What the hub has for good, it has.
    CHECK(poll(NULL, 0, 1) == 0);
    const struct rlimit low = {(rlim_t)epfd + 20, limit.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd; (fd = dup(epfd)) >= 0;)
        last = fd;
    alarm_soon();
    REPORT_RAISED(ppoll(NULL, 0, NULL, &through));
    alarm_soon();
    REPORT_RAISED(pselect(0, NULL, NULL, NULL, NULL, &through));
    alarm_soon();
    REPORT_RAISED(epoll_pwait(epfd, &event, 1, -1, &through));
    alarm_soon();
    REPORT_RAISED(sigsuspend(&through));
    alarm_soon();
    REPORT_RAISED(sigwait(&alarms, &number));
    printf("number %d\n", number);
    REPORT_RAISED(sigtimedwait(&alarms, NULL, &brief));
    REPORT_RAISED(ppoll(NULL, 0, &brief, &through));
    REPORT_RAISED(pselect(0, NULL, NULL, NULL, &brief, &through));
    REPORT_RAISED(epoll_pwait(epfd, &event, 1, 30, &through));
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int fd = epfd; fd <= last; ++fd)
        close(fd);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

int main(int argc, char** argv) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    CHECK(argc == 2);
    owner = pthread_self();
    // Once as the only thread, whose calls may block it.
    files(argv[1]);
    pipes(argv[1]);
    no_fd_left();
    begin_idle_thread();
    files(argv[1]);
    pipes(argv[1]);
    deaths(argv[1]);
    unlink(argv[1]);
    return 0;
}
