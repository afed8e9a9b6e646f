/* SPDX-License-Identifier: BSL-1.0 */
/* The sequential program in legacy/crawl_main.c, made concurrent: it is linked with
   libtendril_shim, and where it called crawl_page() it now spawns a fiber that does. The client
   itself, legacy/crawler.c, is the same object file.

   13_legacy_crawler URL [PAGES] */
#include "legacy/crawler.h"

#include <tendril.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
    struct page* next;
    char url[CRAWL_URL_MAX];
};

static struct page* pages;
static long known, most = 100, fetched, failed;

static void found(void* context, const char* url);

static void* fetch(void* page) {
    char error[CRAWL_ERROR_MAX];
    const char* url = ((struct page*)page)->url;
    if (crawl_page(url, found, NULL, error) < 0) {
        fprintf(stderr, "crawl: %s: %s\n", url, error);
        ++failed;
    } else {
        ++fetched;
    }
    return NULL;
}

/* No lock: fibers of one thread switch only where they wait. */
static void found(void* context, const char* url) {
    const tendril_spawn_options options = {"crawl", 0};
    struct page* page;
    tendril_fiber* fiber;
    (void)context;
    for (page = pages; page != NULL; page = page->next) {
        if (strcmp(page->url, url) == 0) {
            return;
        }
    }
    if (known == most || (page = malloc(sizeof *page)) == NULL) {
        return;
    }
    snprintf(page->url, sizeof page->url, "%s", url);
    page->next = pages;
    pages = page;
    ++known;
    fiber = tendril_spawn(fetch, page, &options);
    if (fiber == NULL) {
        perror("crawl: spawn");
        ++failed;
        return;
    }
    tendril_detach(fiber);
}

int main(int argc, char** argv) {
    struct crawl_url start;
    struct page* page;
    char first[CRAWL_URL_MAX];

    if (argc > 2) {
        most = atol(argv[2]);
    }
    if (argc < 2 || argc > 3 || most < 1 || crawl_parse_url(argv[1], &start) != 0) {
        fprintf(stderr, "usage: 13_legacy_crawler http://HOST[:PORT][/PATH] [PAGES]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    crawl_format_url(&start, first);
    found(NULL, first);
    tendril_drain();
    printf("%ld of %ld pages\n", fetched, known);
    while ((page = pages) != NULL) {
        pages = page->next;
        free(page);
    }
    return failed == 0 ? 0 : 1;
}
