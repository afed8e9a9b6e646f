// SPDX-License-Identifier: BSL-1.0
// epoll fds of the program's own in all their ways: inside each other, edge-triggered, one-shot,
// exclusive, changed by another thread during the wait.
#include "asleep.h"
#include "report.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct epoll_event got[8];

static int control(int epfd, int operation, int fd, unsigned events, unsigned data) {
    struct epoll_event e = {events, {.u32 = data}};
    return epoll_ctl(epfd, operation, fd, &e);
}

static void add(int epfd, int fd, unsigned events, unsigned data) {
    CHECK(control(epfd, EPOLL_CTL_ADD, fd, events, data) == 0);
}

// What comes within the time, in order of its numbers.
static void show(const char* what, int epfd, int room, int timeout) {
    int n = epoll_wait(epfd, got, (int)unknown((size_t)room), timeout);
    printf("%s: %d", what, n < 0 ? -errno : n);
    for (unsigned data = 0; data < 10; ++data)
        for (int i = 0; i < n; ++i)
            if (got[i].data.u32 == data)
                printf(" %u:%x", data, got[i].events);
    printf("\n");
}

// --- something that another thread does while this one waits

static pthread_t helper;
static struct {
    int epfd, fd;
    unsigned events;
    pid_t waiter;
} subject;

static void write_one(void) {
    CHECK(write(subject.fd, "x", 1) == 1);
}
static void add_it(void) {
    add(subject.epfd, subject.fd, subject.events, 7);
}
static void modify_it(void) {
    CHECK(control(subject.epfd, EPOLL_CTL_MOD, subject.fd, subject.events, 8) == 0);
}
static void remove_it(void) {
    CHECK(epoll_ctl(subject.epfd, EPOLL_CTL_DEL, subject.fd, NULL) == 0);
}

static void* run(void* action) {
    until_asleep(getpid(), subject.waiter);
    (*(void (**)(void))action)();
    return NULL;
}

static void later(void (**action)(void), int epfd, int fd, unsigned events) {
    subject.epfd = epfd;
    subject.fd = fd;
    subject.events = events;
    subject.waiter = gettid();
    CHECK(pthread_create(&helper, NULL, run, action) == 0);
}
static void done(void) {
    CHECK(pthread_join(helper, NULL) == 0);
}
static void (*writes)(void) = write_one;
static void (*adds)(void) = add_it;
static void (*modifies)(void) = modify_it;
static void (*removes)(void) = remove_it;

static void drain(int fd) {
    char all[64];
    CHECK(read(fd, all, unknown(sizeof all)) > 0);
}

// --- inside each other

static void nested(int depth) {
    int ends[2], epfds[6];
    printf("%d inside each other\n", depth);
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < depth; ++i) {
        epfds[i] = epoll_create1(0);
        add(epfds[i], i == 0 ? ends[0] : epfds[i - 1], EPOLLIN, (unsigned)i);
    }
    int outer = epfds[depth - 1];
    show("nothing", outer, 8, 3);
    for (int round = 0; round < 3; ++round) {
        later(&writes, -1, ends[1], 0);
        show("outer", outer, 8, -1);
        done();
        show("outer again", outer, 8, -1);
        for (int i = depth - 1; i >= 0; --i)
            show("each", epfds[i], 8, 0);
        drain(ends[0]);
        show("outer, drained", outer, 8, 3);
    }
    later(&writes, -1, ends[1], 0);
    struct pollfd p = {outer, POLLIN | POLLOUT, 0};
    REPORT(poll(&p, unknown(1), -1));
    printf("%x\n", (unsigned)p.revents);
    done();
    drain(ends[0]);
    later(&writes, -1, ends[1], 0);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(outer, &in);
    REPORT(select(outer + 1, &in, NULL, NULL, NULL));
    done();
    for (int i = 0; i < depth; ++i)
        close(epfds[i]);
    close(ends[0]);
    close(ends[1]);
}

static void nested_edges(void) {
    int ends[2], inner = epoll_create1(0), outer = epoll_create1(0);
    printf("an edge of an epoll fd\n");
    CHECK(pipe(ends) == 0);
    add(inner, ends[0], EPOLLIN, 1);
    add(outer, inner, EPOLLIN | EPOLLET, 2);
    for (int round = 0; round < 3; ++round) {
        later(&writes, -1, ends[1], 0);
        show("outer", outer, 8, -1);
        done();
        show("no second one", outer, 8, 3);
        show("inner", inner, 8, -1);
        show("outer, after that", outer, 8, 3);
    }
    drain(ends[0]);
    REPORT(control(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 1)); // round in a circle
    REPORT(control(outer, EPOLL_CTL_ADD, outer, EPOLLIN, 1));
    close(inner);
    show("without it", outer, 8, 3);
    close(outer);
    close(ends[0]);
    close(ends[1]);
}

// --- the flags

static void edges(void) {
    int ends[2], epfd = epoll_create1(0);
    char some[5];
    printf("edges\n");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    add(epfd, ends[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    show("room", epfd, 8, -1);
    show("no news", epfd, 8, 3);
    CHECK(write(ends[1], "0123456789", 10) == 10);
    show("ten bytes", epfd, 8, -1);
    REPORT(read(ends[0], some, unknown(5)));
    show("five are left", epfd, 8, 3);
    later(&writes, -1, ends[1], 0);
    show("one more", epfd, 8, -1);
    done();
    REPORT(control(epfd, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 2));
    show("asked again", epfd, 8, -1);
    show("no news", epfd, 8, 3);
    close(ends[1]);
    show("the end", epfd, 8, -1);
    show("no news", epfd, 8, 3);
    close(ends[0]);
    show("closed", epfd, 8, 3);
    close(epfd);
}

static void one_shots(void) {
    int ends[2], epfd = epoll_create1(0);
    printf("one shot\n");
    CHECK(pipe(ends) == 0);
    add(epfd, ends[0], EPOLLIN | EPOLLONESHOT, 1);
    later(&writes, -1, ends[1], 0);
    show("first", epfd, 8, -1);
    done();
    show("disarmed", epfd, 8, 3);
    CHECK(write(ends[1], "x", 1) == 1);
    show("still", epfd, 8, 3);
    later(&modifies, epfd, ends[0], EPOLLIN | EPOLLONESHOT);
    show("armed by another thread", epfd, 8, -1);
    done();
    show("disarmed", epfd, 8, 3);
    later(&modifies, epfd, ends[0], EPOLLIN | EPOLLET | EPOLLONESHOT);
    show("armed, for an edge", epfd, 8, -1);
    done();
    show("disarmed", epfd, 8, 3);
    close(ends[0]);
    close(ends[1]);
    close(epfd);
}

static void exclusive(void) {
    int ends[2], one = epoll_create1(0), two = epoll_create1(0);
    printf("exclusive\n");
    CHECK(pipe(ends) == 0);
    REPORT(control(one, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
    REPORT(control(two, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLEXCLUSIVE, 2));
    REPORT(control(one, EPOLL_CTL_MOD, ends[0], EPOLLIN, 1));
    REPORT(control(one, EPOLL_CTL_ADD, ends[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
    REPORT(control(one, EPOLL_CTL_ADD, two, EPOLLIN | EPOLLEXCLUSIVE, 1));
    show("nothing", one, 8, 3);
    // Whoever asks for what is there is told.
    CHECK(write(ends[1], "x", 1) == 1);
    show("one", one, 8, -1);
    show("the other", two, 8, -1);
    drain(ends[0]);
    show("nothing", two, 8, 3);
    REPORT(epoll_ctl(two, EPOLL_CTL_DEL, ends[0], NULL));
    later(&writes, -1, ends[1], 0);
    show("the only one", one, 8, -1);
    done();
    close(one);
    close(two);
    close(ends[0]);
    close(ends[1]);
}

static void changes(void) {
    int ends[2], other[2], epfd = epoll_create1(0);
    printf("changed during the wait\n");
    CHECK(pipe(ends) == 0 && pipe(other) == 0 && write(ends[1], "x", 1) == 1);
    later(&adds, epfd, ends[0], EPOLLIN);
    show("added", epfd, 8, -1);
    done();
    REPORT(control(epfd, EPOLL_CTL_MOD, ends[0], 0, 7));
    later(&modifies, epfd, ends[0], EPOLLIN | EPOLLET);
    show("modified", epfd, 8, -1);
    done();
    later(&removes, epfd, ends[0], 0);
    show("removed", epfd, 8, 20);
    done();
    // In turns, when there is room for less than is ready.
    add(epfd, ends[0], EPOLLIN, 1);
    add(epfd, ends[1], EPOLLOUT, 2);
    add(epfd, other[1], EPOLLOUT, 3);
    for (int i = 0; i < 7; ++i)
        show("in turns", epfd, 1, -1);
    close(ends[0]);
    close(ends[1]);
    close(other[0]);
    close(other[1]);
    close(epfd);
}

static void sources(void) {
    int epfd = epoll_create1(0), event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {{0, 0}, {0, 5000000}};
    uint64_t count = 0;
    sigset_t usr1;
    printf("other kinds\n");
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
    int signals = signalfd(-1, &usr1, 0);
    add(epfd, event, EPOLLIN | EPOLLET, 1);
    add(epfd, timer, EPOLLIN, 2);
    add(epfd, signals, EPOLLIN, 3);
    CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
    show("timer", epfd, 8, -1);
    REPORT(read(timer, &count, unknown(sizeof count)));
    CHECK(eventfd_write(event, 1) == 0);
    show("event", epfd, 8, -1);
    CHECK(eventfd_write(event, 1) == 0);
    show("event again", epfd, 8, -1);
    REPORT(read(event, &count, unknown(sizeof count)));
    printf("%d\n", (int)count);
    kill(getpid(), SIGUSR1);
    show("signal", epfd, 8, -1);
    struct signalfd_siginfo info;
    REPORT(read(signals, &info, unknown(sizeof info)));
    show("nothing", epfd, 8, 3);
    close(event);
    close(timer);
    close(signals);
    close(epfd);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (int depth = 1; depth <= 5; ++depth)
        nested(depth);
    nested_edges();
    edges();
    one_shots();
    exclusive();
    changes();
    sources();
    return 0;
}
