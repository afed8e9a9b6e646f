// SPDX-License-Identifier: BSL-1.0
// Two connected sockets, of each kind.
#pragma once

#include "report.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void tcp_pair(int* s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK(bind(listener, (struct sockaddr*)&a, sizeof a) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr*)&a, &size) == 0);
    s[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(s[0], (struct sockaddr*)&a, sizeof a) == 0);
    s[1] = accept(listener, NULL, NULL);
    CHECK(s[1] >= 0);
    CHECK(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    close(listener);
}

static inline void udp_pair(int* s) {
    for (int i = 0; i < 2; ++i) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        s[i] = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(bind(s[i], (struct sockaddr*)&a, sizeof a) == 0);
    }
    for (int i = 0; i < 2; ++i) {
        struct sockaddr_in a;
        socklen_t size = sizeof a;
        CHECK(getsockname(s[1 - i], (struct sockaddr*)&a, &size) == 0);
        CHECK(connect(s[i], (struct sockaddr*)&a, sizeof a) == 0);
    }
}

static inline void unix_pair(int* s) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
}
static inline void datagram_pair(int* s) {
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
}
static inline void packet_pair(int* s) {
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
}

static const struct kind {
    const char* name;
    void (*make)(int*);
    bool stream;
} kinds[] = {{"tcp", tcp_pair, true},
             {"unix stream", unix_pair, true},
             {"udp", udp_pair, false},
             {"unix datagram", datagram_pair, false},
             {"unix seqpacket", packet_pair, false}};
enum { kind_count = sizeof kinds / sizeof *kinds };

static inline void both_closed(int* s) {
    close(s[0]);
    close(s[1]);
}
