/* SPDX-License-Identifier: BSL-1.0 */
/* tendril.h from C99, linked with libtendril.so. */
#define _POSIX_C_SOURCE 200809L

#include <tendril.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, errno,   \
                    strerror(errno));                                                              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static char order[16];

static void* append(void* letter) {
    strcat(order, letter);
    tendril_yield();
    strcat(order, letter);
    return letter;
}

static void* sleeper(void* nanoseconds) {
    CHECK(tendril_sleep_ns(*(int64_t*)nanoseconds) == 0);
    return NULL;
}

static void* join_myself(void* handle) {
    void* result;
    errno = 0;
    return tendril_join(*(tendril_fiber**)handle, &result) == -1 && errno == EDEADLK ? handle
                                                                                     : NULL;
}

static void* sleep_twice(void* hour) {
    int i;
    for (i = 0; i < 2; ++i) {
        errno = 0;
        CHECK(tendril_sleep_ns(*(int64_t*)hour) == -1 && errno == ECANCELED);
    }
    return hour;
}

static void test_cancel(void) {
    int64_t hour = (int64_t)3600 * 1000000000;
    void* result = NULL;
    tendril_fiber* f;

    CHECK((f = tendril_spawn(sleep_twice, &hour, NULL)) != NULL);
    CHECK(tendril_yield() == 0);
    CHECK(tendril_cancel(f, "enough") == 0);
    CHECK(tendril_join(f, &result) == 0 && result == &hour);

    CHECK((f = tendril_spawn(sleep_twice, &hour, NULL)) != NULL);
    CHECK(tendril_cancel(f, NULL) == 0);
    errno = 0;
    CHECK(tendril_join(f, &result) == -1 && errno == EOWNERDEAD);
}

static void test_fibers(void) {
    tendril_spawn_options options = {"b", 64 << 10};
    int64_t hour = (int64_t)3600 * 1000000000, moment = 1000;
    char a[] = "a", b[] = "b";
    void* result = NULL;
    tendril_fiber *first, *second;

    CHECK(strlen(tendril_version()) >= 5);
    CHECK((first = tendril_spawn(append, a, NULL)) != NULL);
    CHECK((second = tendril_spawn(append, b, &options)) != NULL);
    CHECK(tendril_id(first) != 0 && tendril_id(first) != tendril_id(second));
    CHECK(tendril_self() != 0 && tendril_self() != tendril_id(first));
    CHECK(tendril_join(first, &result) == 0 && result == a);
    CHECK(tendril_join(second, NULL) == 0);
    CHECK(strcmp(order, "abab") == 0);

    CHECK((first = tendril_spawn(sleeper, &hour, NULL)) != NULL);
    errno = 0;
    CHECK(tendril_join_for(first, 1000000, NULL) == -1 && errno == ETIMEDOUT);
    errno = 0;
    CHECK(tendril_join_for(first, 0, NULL) == -1 && errno == ETIMEDOUT);
    tendril_detach(first);

    CHECK((first = tendril_spawn(sleeper, &moment, NULL)) != NULL);
    CHECK(tendril_join_for(first, hour, NULL) == 0);

    CHECK((first = tendril_spawn(join_myself, &first, NULL)) != NULL);
    CHECK(tendril_join(first, &result) == 0 && result == &first);

    options.stack_size = 1;
    errno = 0;
    CHECK(tendril_spawn(append, a, &options) == NULL && errno == EINVAL);
}

static void* echo(void* listener) {
    char buffer[64];
    ssize_t n;
    int fd = tendril_tcp_accept(*(int*)listener);
    CHECK(fd >= 0);
    while ((n = tendril_read(fd, buffer, sizeof buffer)) > 0) {
        CHECK(tendril_write(fd, buffer, (size_t)n) == n);
    }
    CHECK(n == 0 && tendril_close(fd) == 0);
    return NULL;
}

static void test_tcp(void) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    struct iovec parts[2] = {{"he", 2}, {"llo", 3}};
    struct pollfd ready;
    tendril_fiber* server;
    char text[32], got[8] = "";
    int fd, listener = tendril_tcp_listen("127.0.0.1:0", 0);
    CHECK(listener >= 0 && getsockname(listener, (struct sockaddr*)&at, &size) == 0);
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(at.sin_port));

    CHECK((server = tendril_spawn(echo, &listener, NULL)) != NULL);
    CHECK((fd = tendril_tcp_connect(text, -1)) >= 0);
    CHECK(tendril_writev(fd, parts, 2) == 5);
    ready.fd = fd;
    ready.events = POLLIN;
    CHECK(tendril_poll(&ready, 1, -1) == 1 && ready.revents == POLLIN);
    CHECK(tendril_recv(fd, got, 5, MSG_WAITALL) == 5 && strcmp(got, "hello") == 0);
    CHECK(tendril_poll(&ready, 1, 1) == 0);
    errno = 0;
    CHECK(tendril_recv(fd, got, 5, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(tendril_close(fd) == 0);
    CHECK(tendril_join(server, NULL) == 0);

    CHECK(tendril_close(listener) == 0);
    errno = 0;
    CHECK(tendril_tcp_connect(text, -1) == -1 && errno == ECONNREFUSED);
    errno = 0;
    CHECK(tendril_tcp_connect("no port", 0) == -1 && errno == EINVAL);
    errno = 0;
    CHECK(tendril_tcp_connect("127.0.0.1:no-such-service", 1000000000) == -1 && errno == ENOENT);
    errno = 0;
    CHECK(tendril_close(fd) == -1 && errno == EBADF);
}

static void* poke(void* fd) {
    return tendril_write(*(int*)fd, "!", 1) == 1 ? fd : NULL;
}

static void test_pipe(void) {
    int ends[2];
    char byte = 0;
    tendril_fiber* writer;
    CHECK(pipe(ends) == 0);
    CHECK((writer = tendril_spawn(poke, &ends[1], NULL)) != NULL);
    tendril_detach(writer);
    CHECK(tendril_read(ends[0], &byte, 1) == 1 && byte == '!');
    CHECK(tendril_close(ends[0]) == 0 && tendril_close(ends[1]) == 0);
}

static void test_messages(void) {
    int fds[2], file = open("/proc/self/exe", O_RDONLY);
    char text[] = "hello", got[8] = "";
    struct iovec part = {text, 5};
    struct msghdr message;
    off_t offset = 1;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && file >= 0);
    CHECK(tendril_sendmsg(fds[0], &message, 0) == 5);
    part.iov_base = got;
    CHECK(tendril_recvmsg(fds[1], &message, 0) == 5 && strcmp(got, text) == 0);
    CHECK(tendril_sendfile(fds[0], file, &offset, 3) == 3 && offset == 4);
    CHECK(tendril_recv(fds[1], got, 3, MSG_WAITALL) == 3 && memcmp(got, "ELF", 3) == 0);
    errno = 0;
    CHECK(tendril_sendfile(fds[0], -1, NULL, 3) == -1 && errno == EBADF);
    CHECK(tendril_shutdown(fds[0], SHUT_WR) == 0);
    CHECK(tendril_recv(fds[1], got, 3, 0) == 0);
    errno = 0;
    CHECK(tendril_shutdown(-1, SHUT_WR) == -1 && errno == EBADF);
    CHECK(tendril_close(fds[0]) == 0 && tendril_close(fds[1]) == 0 && tendril_close(file) == 0);
}

static int drained;

static void* note_end(void* unused) {
    (void)unused;
    tendril_sleep_ns(1000000);
    drained = 1;
    return NULL;
}

int main(void) {
    test_tcp();
    test_pipe();
    test_messages();
    tendril_detach(tendril_spawn(note_end, NULL, NULL));
    CHECK(tendril_drain() == 0 && drained == 1);
    test_fibers();
    test_cancel();
    return 0;
}
