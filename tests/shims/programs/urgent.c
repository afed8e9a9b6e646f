// SPDX-License-Identifier: BSL-1.0
// Urgent data over TCP, taken out of the stream and left in it, and the mark between.
#include "report.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[16];
static int ours, theirs;

static void connect_pair(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr*)&address, sizeof address) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
    theirs = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(theirs, (struct sockaddr*)&address, sizeof address) == 0);
    ours = accept(listener, NULL, NULL);
    CHECK(ours >= 0 && close(listener) == 0);
}

static void look(short events) {
    struct pollfd p = {ours, events, 0};
    REPORT(poll(&p, 1, 20));
    printf("IN %d PRI %d RDBAND %d\n", (p.revents & POLLIN) != 0, (p.revents & POLLPRI) != 0,
           (p.revents & POLLRDBAND) != 0);
}

static void receive(int flags) {
    memset(buffer, 0, sizeof buffer);
    REPORT(sockatmark(ours));
    REPORT(recv(ours, buffer, unknown(sizeof buffer), flags));
    printf("\"%s\"\n", buffer);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    connect_pair();
    look(POLLPRI);
    receive(MSG_OOB);
    REPORT(send(theirs, "ab!", 3, MSG_OOB));
    REPORT(send(theirs, "cd", 2, 0));
    look(POLLIN | POLLPRI);
    fd_set exceptions;
    FD_ZERO(&exceptions);
    FD_SET(ours, &exceptions);
    REPORT(select(ours + 1, NULL, NULL, &exceptions, NULL));
    receive(0);
    receive(MSG_OOB);
    receive(MSG_OOB);
    receive(0);
    look(POLLIN | POLLPRI);

    int on = 1;
    REPORT(setsockopt(ours, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    REPORT(send(theirs, "ef!", 3, MSG_OOB));
    REPORT(send(theirs, "gh", 2, 0));
    look(POLLIN | POLLPRI);
    receive(MSG_OOB);
    receive(0);
    receive(0);
    look(POLLIN | POLLPRI);

    // Half-close: their direction ends, ours goes on.
    REPORT(send(theirs, "!", 1, MSG_OOB));
    REPORT(shutdown(theirs, SHUT_WR));
    look(POLLIN | POLLPRI | POLLRDHUP);
    receive(0);
    receive(0);
    REPORT(send(ours, "answer", 6, 0));
    REPORT(recv(theirs, buffer, unknown(6), MSG_WAITALL));
    REPORT(shutdown(ours, SHUT_WR));
    REPORT(recv(theirs, buffer, unknown(6), 0));
    REPORT(shutdown(-1, SHUT_WR));
    REPORT(close(ours));
    REPORT(close(theirs));
    return 0;
}
