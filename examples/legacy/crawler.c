/* SPDX-License-Identifier: BSL-1.0 */
#define _POSIX_C_SOURCE 200112L

#include "crawler.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGE_MAX (4L << 20)
#define TIMEOUT_SECONDS 30

static int fail(char* error, const char* doing, const struct crawl_url* url, const char* why) {
    snprintf(error, CRAWL_ERROR_MAX, "%s %s:%s: %s", doing, url->host, url->port, why);
    return -1;
}

/* ---- URLs */

int crawl_parse_url(const char* text, struct crawl_url* url) {
    const char* host;
    size_t host_size, port_size;
    if (strncasecmp(text, "http://", 7) != 0) {
        return -1;
    }
    host = text + 7;
    host_size = strcspn(host, ":/?#");
    text = host + host_size;
    if (*host == '[') { /* an IPv6 address */
        ++host;
        host_size = strcspn(host, "]/?#");
        text = host + host_size;
        if (*text++ != ']') {
            return -1;
        }
    }
    if (host_size == 0 || host_size >= sizeof url->host) {
        return -1;
    }
    memcpy(url->host, host, host_size);
    url->host[host_size] = '\0';
    strcpy(url->port, "80");
    if (*text == ':') {
        port_size = strspn(++text, "0123456789");
        if (port_size == 0 || port_size > 5 || atol(text) > 65535) {
            return -1;
        }
        memcpy(url->port, text, port_size);
        url->port[port_size] = '\0';
        text += port_size;
    }
    if (*text != '\0' && strchr("/?#", *text) == NULL) {
        return -1;
    }
    if (strcspn(text, "#") + 2 > sizeof url->path || strpbrk(text, " \t\r\n") != NULL) {
        return -1;
    }
    snprintf(url->path, sizeof url->path, "%s%.*s", *text == '/' ? "" : "/",
             (int)strcspn(text, "#"), text);
    return 0;
}

void crawl_format_url(const struct crawl_url* url, char* text) {
    const char* format = strchr(url->host, ':') != NULL ? "http://[%s]%s%s%s" : "http://%s%s%s%s";
    int plain = strcmp(url->port, "80") == 0;
    snprintf(text, CRAWL_URL_MAX, format, url->host, plain ? "" : ":", plain ? "" : url->port,
             url->path);
}

/* Takes "." and ".." out of a path, as RFC 3986 section 5.2.4. */
static void remove_dots(char* path) {
    char* to = path;
    const char* from = path;
    while (*from == '/') {
        size_t size = 1 + strcspn(from + 1, "/?");
        int dots = size == 2 && from[1] == '.'                ? 1
                   : size == 3 && memcmp(from, "/..", 3) == 0 ? 2
                                                              : 0;
        if (dots == 2) {
            while (to > path && *--to != '/') {
            }
        }
        if (dots != 0 && from[size] != '/') {
            *to++ = '/';
        }
        if (dots == 0) {
            memmove(to, from, size);
            to += size;
        }
        from += size;
    }
    memmove(to, from, strlen(from) + 1);
}

/* What a link on a page means. 0, or -1: it leads elsewhere, or is no page. */
static int resolve_link(const struct crawl_url* page, const char* link, struct crawl_url* to) {
    char text[sizeof to->path * 2];
    size_t directory;
    *to = *page;
    if (strncasecmp(link, "http://", 7) == 0) {
        return crawl_parse_url(link, to) == 0 && strcasecmp(to->host, page->host) == 0 &&
                       strcmp(to->port, page->port) == 0
                   ? 0
                   : -1;
    }
    if (*link == '\0' || *link == '#' || strncmp(link, "//", 2) == 0 ||
        link[strcspn(link, ":/?#")] == ':') {
        return -1; /* to this page, to another host, or of another scheme */
    }
    directory = strcspn(page->path, "?");
    while (page->path[directory - 1] != '/') {
        --directory;
    }
    snprintf(text, sizeof text, "%.*s%.*s", *link == '/' ? 0 : (int)directory, page->path,
             (int)strcspn(link, "#"), link);
    if (strlen(text) >= sizeof to->path || strlen(link) >= sizeof to->path ||
        strpbrk(text, " \t\r\n") != NULL) {
        return -1;
    }
    strcpy(to->path, text);
    remove_dots(to->path);
    return 0;
}

/* ---- one request */

static int connect_to(const struct crawl_url* url, char* error) {
    const struct timeval timeout = {TIMEOUT_SECONDS, 0};
    struct addrinfo hints, *list, *each;
    int fd = -1, code;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    code = getaddrinfo(url->host, url->port, &hints, &list);
    if (code != 0) {
        return fail(error, "resolve", url,
                    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    }
    for (each = list; each != NULL; each = each->ai_next) {
        fd = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
        if (fd < 0) {
            fail(error, "socket for", url, strerror(errno));
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout); /* of connect, too */
        if (connect(fd, each->ai_addr, each->ai_addrlen) == 0) {
            break;
        }
        fail(error, "connect", url, strerror(errno == EINPROGRESS ? ETIMEDOUT : errno));
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

static int send_request(int fd, const struct crawl_url* url, char* error) {
    char request[1200];
    size_t size, sent = 0;
    snprintf(request, sizeof request,
             "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: crawler/1.0\r\nAccept: text/html\r\n\r\n",
             url->path, url->host);
    size = strlen(request);
    while (sent < size) {
        ssize_t n = write(fd, request + sent, size - sent);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(error, "write to", url, strerror(errno));
        }
        sent += (size_t)n;
    }
    return 0;
}

/* Reads until the server closes. The answer, ended by a null byte, is the caller's to free. */
static char* read_answer(int fd, const struct crawl_url* url, long* size, char* error) {
    long room = 4096;
    char* answer = malloc((size_t)room);
    *size = 0;
    while (answer != NULL) {
        ssize_t n = read(fd, answer + *size, (size_t)(room - *size - 1));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            fail(error, "read from", url, strerror(errno == EAGAIN ? ETIMEDOUT : errno));
            break;
        }
        if (n == 0) {
            answer[*size] = '\0';
            return answer;
        }
        *size += n;
        if (*size == PAGE_MAX) {
            fail(error, "read from", url, "the page is too long");
            break;
        }
        if (room - *size == 1) {
            char* larger = realloc(answer, (size_t)(room *= 2));
            if (larger == NULL) {
                fail(error, "read from", url, strerror(ENOMEM));
                break;
            }
            answer = larger;
        }
    }
    free(answer);
    return NULL;
}

/* ---- one page */

static void find_links(const struct crawl_url* page, const char* text, crawl_found* found,
                       void* context) {
    struct crawl_url to;
    char link[CRAWL_URL_MAX];
    for (; (text = strchr(text, '=')) != NULL; ++text) {
        size_t size;
        if (strncasecmp(text - 4, "href=", 5) != 0 || (text[1] != '"' && text[1] != '\'')) {
            continue;
        }
        size = strcspn(text + 2, text[1] == '"' ? "\"" : "'");
        if (size < sizeof link) {
            memcpy(link, text + 2, size);
            link[size] = '\0';
            if (resolve_link(page, link, &to) == 0) {
                crawl_format_url(&to, link);
                found(context, link);
            }
        }
    }
}

/* A redirection counts as a page with one link. */
static int follow(const struct crawl_url* page, const char* head, crawl_found* found, void* context,
                  char* error) {
    struct crawl_url to;
    char link[CRAWL_URL_MAX] = "";
    const char* line = head;
    while ((line = strchr(line, '\n')) != NULL) {
        if (strncasecmp(++line, "Location:", 9) == 0) {
            line += 9 + strspn(line + 9, " \t");
            snprintf(link, sizeof link, "%.*s", (int)strcspn(line, " \t\r\n"), line);
            break;
        }
    }
    if (resolve_link(page, link, &to) != 0) {
        snprintf(error, CRAWL_ERROR_MAX, "redirected to %s, where this crawler does not go", link);
        return -1;
    }
    crawl_format_url(&to, link);
    found(context, link);
    return 0;
}

static int read_page(const struct crawl_url* url, const char* answer, crawl_found* found,
                     void* context, char* error) {
    const char* body = strstr(answer, "\r\n\r\n");
    int status;
    if (sscanf(answer, "HTTP/%*d.%*d %d", &status) != 1 || body == NULL) {
        return fail(error, "read from", url, "the answer is not HTTP");
    }
    if (status / 100 == 3) {
        return follow(url, answer, found, context, error);
    }
    if (status != 200) {
        snprintf(error, CRAWL_ERROR_MAX, "the server says %.*s", (int)strcspn(answer, "\r\n"),
                 answer);
        return -1;
    }
    find_links(url, body, found, context);
    return 0;
}

long crawl_page(const char* text, crawl_found* found, void* context, char* error) {
    struct crawl_url url;
    long size = -1;
    int fd;
    if (crawl_parse_url(text, &url) != 0) {
        snprintf(error, CRAWL_ERROR_MAX, "this is not an http URL");
        return -1;
    }
    fd = connect_to(&url, error);
    if (fd < 0) {
        return -1;
    }
    if (send_request(fd, &url, error) == 0) {
        char* answer = read_answer(fd, &url, &size, error);
        if (answer == NULL || read_page(&url, answer, found, context, error) != 0) {
            size = -1;
        }
        free(answer);
    }
    close(fd);
    return size;
}
