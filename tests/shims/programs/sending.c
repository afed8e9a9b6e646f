// SPDX-License-Identifier: BSL-1.0
// What a call returns that sent only part of what it was to: its time was over, or the connection
// broke.
#include "pairs.h"
#include "report.h"
#include "time_limits.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/uio.h>

// --- sending -------------------------------------------------------------------------------------

static void narrow(int* s) {
    int small = 4096;
    CHECK(setsockopt(s[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
}

// Whether all, a part or an error: how much fits is the kernel's business.
static const char* share(long n, size_t size) {
    return n < 0 ? "nothing" : n < (long)size ? "a part" : "all";
}
#define PORTION(milliseconds, call)                                                                \
    do {                                                                                           \
        double before_ = seconds_now();                                                            \
        errno = ENOTTY;                                                                            \
        long result_ = (long)(call);                                                               \
        printf("%-70s %s %s, waited %d\n", #call, share(result_, sizeof buffer),                   \
               result_ < 0       ? strerrorname_np(errno)                                          \
               : errno == ENOTTY ? "-"                                                             \
                                 : "errno changed",                                                \
               (seconds_now() - before_) * 1000 >= (milliseconds)-1);                              \
    } while (0)

static void filling(const struct kind* kind) {
    printf("sending: %s\n", kind->name);
    int s[2];
    kind->make(s);
    narrow(s);
    limit(s[1], SO_SNDTIMEO, 4);
    struct iovec parts[2] = {{buffer, 1000}, {buffer + 1000, sizeof buffer - 1000}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    PORTION(4, send(s[1], buffer, sizeof buffer, 0));
    PORTION(4, send(s[1], buffer, sizeof buffer, 0));
    PORTION(4, write(s[1], buffer, sizeof buffer));
    PORTION(4, writev(s[1], parts, 2));
    PORTION(4, sendmsg(s[1], &message, 0));
    PORTION(4, sendto(s[1], buffer, sizeof buffer, 0, NULL, 0));
    PORTION(4, send(s[1], buffer, sizeof buffer, MSG_ERRQUEUE));
    if (kind->make == tcp_pair)
        PORTION(4, send(s[1], buffer, sizeof buffer, MSG_OOB));
    struct mmsghdr many[2] = {{message, 0}, {message, 0}};
    TIMED(4, sendmmsg(s[1], many, 2, 0));
    PORTION(0, send(s[1], buffer, sizeof buffer, MSG_DONTWAIT));
    REPORT(fcntl(s[1], F_GETFL) & O_NONBLOCK);
    // Room again; TCP says so only some time later.
    while (recv(s[0], buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
    if (kind->make == unix_pair)
        REPORT(send(s[1], "abc", 3, 0));
    both_closed(s);
}

static void filling_datagrams(const struct kind* kind) {
    printf("sending: %s\n", kind->name);
    int s[2];
    kind->make(s);
    limit(s[1], SO_SNDTIMEO, 4);
    int sent = 0;
    while (send(s[1], buffer, 100, MSG_DONTWAIT) == 100)
        ++sent;
    printf("%d fit\n", sent);
    TIMED(4, send(s[1], buffer, unknown(100), 0));
    TIMED(4, write(s[1], buffer, unknown(100)));
    struct iovec part = {buffer, 100};
    struct mmsghdr many[2] = {{{.msg_iov = &part, .msg_iovlen = 1}, 0},
                              {{.msg_iov = &part, .msg_iovlen = 1}, 0}};
    TIMED(4, sendmmsg(s[1], many, 2, 0));
    CHECK(recv(s[0], buffer, sizeof buffer, 0) == 100);
    TIMED(4, sendmmsg(s[1], many, 2, 0));
    REPORT(send(s[1], buffer, sizeof buffer, 0));
    both_closed(s);
}

// --- errors that come while part of the work is done ---------------------------------------------

static void reset(int fd) {
    struct linger now = {1, 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    CHECK(close(fd) == 0);
}

static int sigpipes;
static void count_sigpipe(int number) {
    sigpipes += number == SIGPIPE;
}

static void errors(const struct kind* kind) {
    printf("errors: %s\n", kind->name);
    int s[2];
    struct act act;
    kind->make(s);
    CHECK(send(s[1], "abc", 3, 0) == 3);
    CHECK(send(s[0], "unread", 6, 0) == 6);
    meanwhile(&act, reset, s[1]);
    REPORT(recv(s[0], buffer, unknown(9), MSG_WAITALL));
    done(&act);
    REPORT(recv(s[0], buffer, unknown(9), 0));
    REPORT(recv(s[0], buffer, unknown(9), 0));
    close(s[0]);

    kind->make(s);
    narrow(s);
    CHECK(send(s[0], "unread", 6, 0) == 6);
    sigpipes = 0;
    meanwhile(&act, reset, s[0]);
    PORTION(0, send(s[1], buffer, sizeof buffer, 0));
    done(&act);
    printf("SIGPIPE %d\n", sigpipes);
    REPORT(send(s[1], "x", 1, 0));
    printf("SIGPIPE %d\n", sigpipes);
    REPORT(send(s[1], "x", 1, 0));
    printf("SIGPIPE %d\n", sigpipes);
    REPORT(recv(s[1], buffer, unknown(9), 0));
    close(s[1]);
}

// --- with the connection ------------------------------------------------------------------------

static void fast_open(void) {
    struct sockaddr_storage a;
    socklen_t size;
    int listener = listening(AF_INET, &a, &size);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    REPORT(sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr*)&a, size));
    int one = accept(listener, NULL, NULL);
    REPORT(recv(one, buffer, unknown(5), MSG_WAITALL));
    close(one);
    close(fd);
    int on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    REPORT(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on));
    REPORT(connect(fd, (struct sockaddr*)&a, size));
    REPORT(send(fd, "hello", 5, 0));
    one = accept(listener, NULL, NULL);
    REPORT(recv(one, buffer, unknown(5), MSG_WAITALL));
    close(one);
    close(fd);
    close(listener);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    signal(SIGPIPE, count_sigpipe);
    for (int i = 0; i < kind_count; ++i) {
        if (kinds[i].stream) {
            filling(&kinds[i]);
            errors(&kinds[i]);
        } else if (kinds[i].make != udp_pair) {
            filling_datagrams(&kinds[i]);
        }
    }
    fast_open();
    return 0;
}
