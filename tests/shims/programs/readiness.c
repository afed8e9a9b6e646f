// SPDX-License-Identifier: BSL-1.0
// poll, select, epoll and their kin on every kind of fd: what is reported, with which timeouts.
#include "report.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

struct subject {
    const char* name;
    int fd;
};

static struct subject subjects[16];
static int count;

static void add(const char* name, int fd) {
    subjects[count].name = name;
    subjects[count++].fd = fd;
}

static void make_subjects(void) {
    int a[2], b[2], c[2], d[2], e[2], f[2];
    CHECK(pipe(a) == 0 && pipe(b) == 0 && pipe(c) == 0 && pipe(d) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, e) == 0 &&
          socketpair(AF_UNIX, SOCK_STREAM, 0, f) == 0);
    CHECK(write(b[1], "x", 1) == 1 && close(c[1]) == 0 && close(d[0]) == 0);
    CHECK(write(f[1], "x", 1) == 1 && close(f[1]) == 0);
    add("empty pipe", a[0]);
    add("pipe with room", a[1]);
    add("full-ish pipe", b[0]);
    add("pipe without writer", c[0]);
    add("pipe without reader", d[1]);
    add("idle socket", e[0]);
    add("ended socket with data", f[0]);
    add("null", open("/dev/null", O_RDWR));
    add("directory", open("/", O_RDONLY));
    // Below the size of the kernel's fd table, above which select ignores fds.
    add("closed", 60);
}

static const short events[] = {0, POLLIN, POLLOUT, POLLIN | POLLOUT, POLLPRI, POLLRDHUP};

static void polls(void) {
    for (int i = 0; i < count; ++i) {
        for (unsigned j = 0; j < sizeof events / sizeof events[0]; ++j) {
            for (int timeout = 0; timeout <= 3; timeout += 3) {
                struct pollfd p = {subjects[i].fd, events[j], 0x7f};
                int n = poll(&p, unknown(1), timeout);
                struct pollfd q = {subjects[i].fd, events[j], 0x7f};
                struct timespec t = {0, timeout * 1000000L};
                int m = ppoll(&q, unknown(1), &t, NULL);
                printf("%s: poll %x %d: %d %x, ppoll: %d %x\n", subjects[i].name,
                       (unsigned)events[j], timeout, n, (unsigned)p.revents, m,
                       (unsigned)q.revents);
            }
        }
    }
    struct pollfd all[16];
    for (int i = 0; i < count; ++i)
        all[i] = (struct pollfd){subjects[i].fd, POLLIN | POLLOUT, 0};
    all[0].fd = -1;
    REPORT(poll(all, unknown((size_t)count), -1));
    for (int i = 0; i < count; ++i)
        printf("%x ", (unsigned)all[i].revents);
    printf("\n");
    REPORT(poll(all, 1, 3));
    REPORT(poll(all, unknown((size_t)count), -12345));
    const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    for (int i = 0; i < 3; ++i) {
        REPORT(ppoll(all, 1, &bad[i], NULL));
        REPORT(pselect(0, NULL, NULL, NULL, &bad[i], NULL));
    }
    REPORT(poll(NULL, unknown((size_t)1 << 40), 0));
}

static void show(const char* what, int n, int error, fd_set* in, fd_set* out, fd_set* pri, int fd) {
    printf("%s: %d %s", what, n, n < 0 ? strerrorname_np(error) : "-");
    if (n >= 0)
        printf(" %d%d%d", FD_ISSET(fd, in) != 0, FD_ISSET(fd, out) != 0, FD_ISSET(fd, pri) != 0);
    printf("\n");
}

static void selects(void) {
    for (int i = 0; i < count; ++i) {
        int fd = subjects[i].fd;
        for (int sets = 0; sets < 8; ++sets) {
            fd_set in, out, pri;
            struct timeval t = {0, 3000};
            struct timespec s = {0, 3000000};
            bool nothing_came = false;
            for (int p = 0; p < 2; ++p) {
                FD_ZERO(&in);
                FD_ZERO(&out);
                FD_ZERO(&pri);
                if (sets & 1)
                    FD_SET(fd, &in);
                if (sets & 2)
                    FD_SET(fd, &out);
                if (sets & 4)
                    FD_SET(fd, &pri);
                int n = p ? pselect(fd + 1, &in, &out, &pri, &s, NULL)
                          : select(fd + 1, &in, &out, &pri, &t);
                int error = errno;
                nothing_came = nothing_came || (!p && n == 0);
                printf("%s, sets %d: ", subjects[i].name, sets);
                show(p ? "pselect" : "select", n, error, &in, &out, &pri, fd);
            }
            // Not more, for a busy machine may take its time over what is ready, too.
            long at_most = nothing_came ? 0 : 3000;
            printf("left: %s, pselect's %ld\n",
                   t.tv_sec == 0 && t.tv_usec <= at_most ? "no more than may be" : "more",
                   s.tv_nsec);
        }
    }
    struct timeval t;
    t = (struct timeval){-1, 0};
    REPORT(select(0, NULL, NULL, NULL, &t));
    t = (struct timeval){0, -1};
    REPORT(select(0, NULL, NULL, NULL, &t));
    t = (struct timeval){0, 0};
    REPORT(select(0, NULL, NULL, NULL, &t));
    t = (struct timeval){0, 0};
    REPORT(select(-1, NULL, NULL, NULL, &t));
    fd_set in;
    FD_ZERO(&in);
    FD_SET(subjects[2].fd, &in);
    t = (struct timeval){0, 5000000}; // ready long before
    REPORT(select(subjects[2].fd + 1, &in, NULL, NULL, &t));
    printf("left: %d\n", t.tv_sec == 4 && t.tv_usec > 0 && t.tv_usec < 1000000);
    REPORT(select(subjects[2].fd + 1, &in, NULL, NULL, NULL));
}

// The kernel looks at no more fds than its table has room for, whatever size the sets are said to
// be, and writes whole words.
static void select_sizes(void) {
    struct {
        fd_set in, after;
    } sets;
    const int counts[] = {1, FD_SETSIZE, FD_SETSIZE + 1, 1 << 20, INT_MAX};
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; ++i) {
        for (int ready = 0; ready < 2; ++ready) {
            int fd = subjects[ready ? 2 : 0].fd;
            struct timeval t = {0, 3000};
            const struct timespec s = {0, 3000000};
            sigset_t none;
            sigemptyset(&none);
            for (int p = 0; p < 3; ++p) {
                memset(&sets.after, 0xff, sizeof sets.after);
                FD_ZERO(&sets.in);
                FD_SET(fd, &sets.in);
                int n = p ? pselect(counts[i], &sets.in, NULL, NULL, &s, p == 2 ? &none : NULL)
                          : select(counts[i], &sets.in, NULL, NULL, &t);
                printf("of %d: %d %d, after that %d\n", counts[i], n, FD_ISSET(fd, &sets.in) != 0,
                       FD_ISSET(0, &sets.after) != 0);
            }
        }
    }
}

static void epolls(void) {
    struct epoll_event got[16];
    int epfd = epoll_create1(0);
    CHECK(epfd >= 0);
    REPORT(epoll_wait(epfd, got, 16, 3));
    REPORT(epoll_wait(epfd, got, 0, 0));
    REPORT(epoll_wait(epfd, got, (int)unknown((size_t)-1), 0));
    REPORT(epoll_wait(0x7ffff, got, 16, 0));
    REPORT(epoll_wait(subjects[0].fd, got, 16, 0));
    for (int i = 0; i < count; ++i) {
        struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLRDHUP, {.u32 = (unsigned)i}};
        REPORT(epoll_ctl(epfd, EPOLL_CTL_ADD, subjects[i].fd, &e));
    }
    int n = epoll_wait(epfd, got, 16, -1);
    for (int i = 0; i < count; ++i)
        for (int j = 0; j < n; ++j)
            if (got[j].data.u32 == (unsigned)i)
                printf("%s: %x\n", subjects[i].name, got[j].events);
    REPORT(epoll_pwait(epfd, got, 2, -3, NULL));
    const struct timespec bad = {0, -1}, three = {0, 3000000};
    REPORT(epoll_pwait2(epfd, got, 16, &bad, NULL));
    REPORT(epoll_pwait2(epfd, got, 16, NULL, NULL) > 0);
    REPORT(close(epfd));
    epfd = epoll_create1(0);
    REPORT(epoll_pwait2(epfd, got, 16, &three, NULL));
    // Edge-triggered: one report, however often one asks.
    struct epoll_event e = {EPOLLIN | EPOLLET, {.u32 = 1}};
    REPORT(epoll_ctl(epfd, EPOLL_CTL_ADD, subjects[2].fd, &e));
    REPORT(epoll_wait(epfd, got, 16, 3));
    REPORT(epoll_wait(epfd, got, 16, 3));
    REPORT(close(epfd));
}

static volatile int handled;
static void handler(int number) {
    handled = number;
}

static void masks(void) {
    sigset_t blocked, none;
    struct pollfd p = {subjects[0].fd, POLLIN, 0};
    const struct timespec three = {0, 3000000};
    fd_set in;
    struct epoll_event got[1];
    int epfd = epoll_create1(0);
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);

    for (int pending = 0; pending < 2; ++pending) {
        printf("%s\n", pending ? "with a signal pending" : "without a signal");
        handled = 0;
        if (pending)
            raise(SIGUSR1);
        REPORT(ppoll(&p, unknown(1), &three, &none));
        printf("handled %d\n", handled), handled = 0;
        if (pending)
            raise(SIGUSR1);
        FD_ZERO(&in);
        FD_SET(p.fd, &in);
        REPORT(pselect(p.fd + 1, &in, NULL, NULL, &three, &none));
        printf("handled %d\n", handled), handled = 0;
        if (pending)
            raise(SIGUSR1);
        REPORT(epoll_pwait(epfd, got, 1, 3, &none));
        printf("handled %d\n", handled), handled = 0;
        if (pending)
            raise(SIGUSR1);
        REPORT(epoll_pwait2(epfd, got, 1, &three, &none));
        printf("handled %d\n", handled), handled = 0;
        REPORT(ppoll(&p, unknown(1), &three, &blocked));
    }
    // Ready fds are reported, with a mask as without.
    p.fd = subjects[2].fd;
    REPORT(ppoll(&p, unknown(1), NULL, &none));
    FD_ZERO(&in);
    FD_SET(p.fd, &in);
    REPORT(pselect(p.fd + 1, &in, NULL, NULL, NULL, &none));
    printf("%d\n", FD_ISSET(p.fd, &in) != 0);
    struct epoll_event e = {EPOLLIN, {.u32 = 5}};
    REPORT(epoll_ctl(epfd, EPOLL_CTL_ADD, p.fd, &e));
    REPORT(epoll_pwait(epfd, got, 1, -1, &none));
    REPORT(ppoll(&(struct pollfd){60, POLLIN, 0}, unknown(1), NULL, &none));
    REPORT(close(epfd));
    REPORT(epoll_pwait(epfd, got, 1, -1, &none));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    make_subjects();
    polls();
    selects();
    select_sizes();
    epolls();
    masks();
    return 0;
}
