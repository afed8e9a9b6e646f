/* SPDX-License-Identifier: BSL-1.0 */
/* A web client as it was written twenty years ago: it blocks in getaddrinfo, connect, write and
   read, one page at a time. It knows nothing of Tendril. */
#ifndef CRAWLER_H
#define CRAWLER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CRAWL_URL_MAX = 1024, CRAWL_ERROR_MAX = 1400 };

struct crawl_url {
    char host[256];
    char port[8];
    char path[512]; /* begins with a slash */
};

/* Splits http://host[:port][/path]. 0, or -1: it is none, or too long. */
int crawl_parse_url(const char* text, struct crawl_url* url);

/* The one form in which crawl_found gets it; text holds CRAWL_URL_MAX bytes. */
void crawl_format_url(const struct crawl_url* url, char* text);

/* Called for each link of a page that leads to the same host and port, as a whole URL without its
   fragment. The same link may be found more than once. */
typedef void crawl_found(void* context, const char* url);

/* Fetches one page and reports its links. Returns the size of the answer in bytes, or -1 with the
   reason in error, which holds CRAWL_ERROR_MAX bytes. */
long crawl_page(const char* url, crawl_found* found, void* context, char* error);

#ifdef __cplusplus
}
#endif

#endif
