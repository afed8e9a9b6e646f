/* SPDX-License-Identifier: BSL-1.0 */
/* crawl URL [PAGES]: fetches a site, one page after the other. */
#define _POSIX_C_SOURCE 200112L

#include "crawler.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
    struct page* next;
    char url[CRAWL_URL_MAX];
};

struct site {
    struct page* first;
    struct page* last;
    long pages;
    long most;
};

static void add(void* context, const char* url) {
    struct site* site = context;
    struct page* page;
    for (page = site->first; page != NULL; page = page->next) {
        if (strcmp(page->url, url) == 0) {
            return;
        }
    }
    page = site->pages < site->most ? malloc(sizeof *page) : NULL;
    if (page == NULL) {
        return;
    }
    snprintf(page->url, sizeof page->url, "%s", url);
    page->next = NULL;
    *(site->first == NULL ? &site->first : &site->last->next) = page;
    site->last = page;
    ++site->pages;
}

int main(int argc, char** argv) {
    struct site site = {NULL, NULL, 0, 100};
    struct crawl_url start;
    struct page* page;
    char first[CRAWL_URL_MAX], error[CRAWL_ERROR_MAX];
    long fetched = 0, bytes = 0;

    if (argc > 2) {
        site.most = atol(argv[2]);
    }
    if (argc < 2 || argc > 3 || site.most < 1 || crawl_parse_url(argv[1], &start) != 0) {
        fprintf(stderr, "usage: crawl http://HOST[:PORT][/PATH] [PAGES]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    crawl_format_url(&start, first);
    add(&site, first);
    for (page = site.first; page != NULL; page = page->next) {
        long size = crawl_page(page->url, add, &site, error);
        if (size < 0) {
            fprintf(stderr, "crawl: %s: %s\n", page->url, error);
        } else {
            ++fetched;
            bytes += size;
        }
    }
    printf("%ld of %ld pages, %ld bytes\n", fetched, site.pages, bytes);
    while ((page = site.first) != NULL) {
        site.first = page->next;
        free(page);
    }
    return fetched == site.pages ? 0 : 1;
}
