// SPDX-License-Identifier: BSL-1.0
// Names that need no server: numbers, this host, services, and errors.
#include "report.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void show(const struct addrinfo* list) {
    for (const struct addrinfo* a = list; a != NULL; a = a->ai_next) {
        char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
        int code = getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, service,
                               sizeof service, NI_NUMERICHOST | NI_NUMERICSERV);
        printf("  %d: %s %s, socktype %d, protocol %d, canonical %s\n", code, host, service,
               a->ai_socktype, a->ai_protocol, a->ai_canonname != NULL ? a->ai_canonname : "-");
    }
}

static void look(const char* node, const char* service, int flags, int family, int type) {
    struct addrinfo hints = {.ai_flags = flags, .ai_family = family, .ai_socktype = type};
    struct addrinfo* list = NULL;
    int code = getaddrinfo(node, service, &hints, &list);
    printf("%s %s %x %d %d: %s\n", node != NULL ? node : "-", service != NULL ? service : "-",
           (unsigned)flags, family, type, code == 0 ? "found" : gai_strerror(code));
    if (code == 0) {
        show(list);
        freeaddrinfo(list);
    }
}

static void show_host(const char* what, const struct hostent* h) {
    if (h == NULL) {
        printf("%s: h_errno %d\n", what, h_errno);
        return;
    }
    printf("%s: %s, family %d, length %d:", what, h->h_name, h->h_addrtype, h->h_length);
    for (char** a = h->h_addr_list; *a != NULL; ++a) {
        char text[INET6_ADDRSTRLEN];
        printf(" %s", inet_ntop(h->h_addrtype, *a, text, sizeof text));
    }
    printf("\n");
}

int main(void) {
    look("127.0.0.1", "80", 0, AF_UNSPEC, SOCK_STREAM);
    look("::1", NULL, AI_NUMERICHOST, AF_UNSPEC, 0);
    look("localhost", "http", 0, AF_INET, SOCK_STREAM);
    look(NULL, "53", AI_PASSIVE, AF_INET, SOCK_DGRAM);
    look(NULL, NULL, 0, AF_UNSPEC, 0);
    look("not a number", NULL, AI_NUMERICHOST, AF_UNSPEC, 0);
    look("127.0.0.1", "nonesuch", 0, AF_UNSPEC, SOCK_STREAM);
    look("127.0.0.1", "80", 0, 9999, SOCK_STREAM);
    look("127.0.0.1", "80", 0x40000000, AF_UNSPEC, SOCK_STREAM);
    look("127.1", NULL, AI_CANONNAME, AF_INET, SOCK_STREAM);

    show_host("gethostbyname number", gethostbyname("10.1.2.3"));
    show_host("gethostbyname localhost", gethostbyname("localhost"));
    show_host("gethostbyname2", gethostbyname2("::1", AF_INET6));
    struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
    show_host("gethostbyaddr", gethostbyaddr(&loopback, sizeof loopback, AF_INET));
    show_host("gethostbyaddr bad", gethostbyaddr(&loopback, 3, AF_INET));

    struct hostent entry, *result;
    char buffer[1024];
    int error = -1;
    REPORT(gethostbyname_r("10.1.2.3", &entry, buffer, sizeof buffer, &result, &error));
    show_host("gethostbyname_r", result);
    REPORT(gethostbyname_r("10.1.2.3", &entry, buffer, 2, &result, &error));
    REPORT(gethostbyname2_r("localhost", AF_INET, &entry, buffer, sizeof buffer, &result, &error));
    show_host("gethostbyname2_r", result);
    REPORT(gethostbyaddr_r(&loopback, sizeof loopback, AF_INET, &entry, buffer, sizeof buffer,
                           &result, &error));
    show_host("gethostbyaddr_r", result);

    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = loopback};
    char host[8], service[8];
    printf("%d\n", getnameinfo((struct sockaddr*)&address, sizeof address, host, 2, NULL, 0,
                               NI_NUMERICHOST));
    printf("%d\n", getnameinfo((struct sockaddr*)&address, 3, host, sizeof host, NULL, 0, 0));
    printf("%d\n", getnameinfo((struct sockaddr*)&address, sizeof address, NULL, 0, service,
                               sizeof service, 0));
    printf("%s\n", service);
    return 0;
}
