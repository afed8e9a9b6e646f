// SPDX-License-Identifier: BSL-1.0
// Users, groups, services, protocols, networks, texts and the log.
#include "report.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <locale.h>
#include <netdb.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <stdarg.h>
#include <syslog.h>
#include <unistd.h>

static void users(void) {
    char buffer[1024];
    struct passwd entry, *found;
    struct group group, *found_group;
    gid_t groups[64];
    int count = 64;
    struct passwd* root = getpwnam("root");
    printf("%s %d %s\n", root->pw_name, (int)root->pw_uid, root->pw_dir);
    REPORT(getpwuid(0) == root);
    REPORT(getpwnam("nobody-of-this-name"));
    REPORT(getpwuid(987654));
    REPORT(getpwnam_r("root", &entry, buffer, sizeof buffer, &found));
    printf("%s %d\n", found->pw_name, found == &entry);
    REPORT(getpwnam_r("root", &entry, buffer, 3, &found));
    REPORT(getpwnam_r("nobody-of-this-name", &entry, buffer, sizeof buffer, &found));
    REPORT(getpwuid_r(0, &entry, buffer, sizeof buffer, &found));
    printf("%s\n", getgrnam("root")->gr_name);
    printf("%s\n", getgrgid(0)->gr_name);
    REPORT(getgrgid(987654));
    REPORT(getgrnam_r("root", &group, buffer, sizeof buffer, &found_group));
    REPORT(getgrgid_r(0, &group, buffer, 1, &found_group));
    REPORT(getgrouplist("root", 0, groups, &count));
    printf("%d\n", count);
    count = 0;
    REPORT(getgrouplist("root", 0, groups, &count));
    REPORT(innetgr("group", "host", "user", "domain"));
    REPORT(getspnam("nobody-of-this-name"));
}

static void services(void) {
    char buffer[1024];
    struct servent entry, *s = getservbyname("http", "tcp");
    struct protoent protocol, *p = getprotobyname("tcp");
    struct netent network, *n;
    int error = 0;
    printf("%s %d %s\n", s ? s->s_name : "-", s ? ntohs(s->s_port) : 0, s ? s->s_proto : "-");
    REPORT(getservbyname("no-such-service", NULL));
    s = getservbyport(htons(22), NULL);
    printf("%s\n", s ? s->s_name : "-");
    REPORT(getservbyname_r("smtp", NULL, &entry, buffer, sizeof buffer, &s));
    REPORT(getservbyname_r("smtp", NULL, &entry, buffer, 2, &s));
    REPORT(getservbyport_r(htons(1), "udp", &entry, buffer, sizeof buffer, &s));
    printf("%s %d\n", p ? p->p_name : "-", p ? p->p_proto : 0);
    p = getprotobynumber(17);
    printf("%s\n", p ? p->p_name : "-");
    REPORT(getprotobyname_r("no-such-protocol", &protocol, buffer, sizeof buffer, &p));
    REPORT(getprotobynumber_r(6, &protocol, buffer, sizeof buffer, &p));
    h_errno = 0;
    n = getnetbyname("loopback");
    printf("%s %d\n", n ? n->n_name : "-", h_errno);
    h_errno = 0;
    n = getnetbyname("no-such-network");
    printf("%s %d\n", n ? n->n_name : "-", h_errno);
    n = getnetbyaddr(127, AF_INET);
    printf("%s\n", n ? n->n_name : "-");
    REPORT(getnetbyname_r("loopback", &network, buffer, sizeof buffer, &n, &error));
    REPORT(getnetbyaddr_r(1, AF_INET, &network, buffer, sizeof buffer, &n, &error));
}

static void texts(void) {
    errno = ENOTTY;
    puts(strerror(ENOENT));
    puts(strerror(12345));
    puts(strerror(-1));
    puts(strerror_l(54321, newlocale(LC_ALL_MASK, "C", NULL)));
    puts(strsignal(SIGTERM));
    puts(strsignal(SIGRTMIN + 1));
    puts(strsignal(999));
    puts(inet_ntoa((struct in_addr){htonl(0x7f010203)}));
    printf("%d\n", errno == ENOTTY);
    locale_t c = newlocale(LC_ALL_MASK, "C", NULL);
    REPORT(uselocale(NULL) == LC_GLOBAL_LOCALE);
    REPORT(uselocale(c) == LC_GLOBAL_LOCALE);
    REPORT(uselocale(NULL) == c);
    usleep(1000);
    REPORT(uselocale(NULL) == c);
    REPORT(uselocale(LC_GLOBAL_LOCALE) == c);
    REPORT(uselocale(NULL) == LC_GLOBAL_LOCALE);
}

static void log_list(int priority, const char* format, ...) {
    va_list list;
    va_start(list, format);
    vsyslog(priority, format, list);
    va_end(list);
}

// Where there is a daemon it gets these too, and drops them.
static void logs(void) {
    int ends[2], kept = dup(2);
    char text[4096];
    CHECK(pipe(ends) == 0 && dup2(ends[1], 2) == 2);
    openlog("tendril-test", LOG_PERROR, LOG_USER);
    errno = ENOENT;
    syslog(LOG_DEBUG, "%s %d %m %c %.1f", "text", 42, 'x', 1.5);
    log_list(LOG_DEBUG, "%s", "list");
    syslog(LOG_DEBUG, "plain");
    CHECK(dup2(kept, 2) == 2);
    ssize_t size = read(ends[0], text, sizeof text - 1);
    CHECK(size > 0);
    text[size] = 0;
    fputs(text, stdout);
    closelog();
}

int main(void) {
    begin_idle_thread();
    usleep(1000);
    users();
    services();
    texts();
    logs();
    return 0;
}
