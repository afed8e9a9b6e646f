// SPDX-License-Identifier: BSL-1.0
//
// Crawls a site twice with a client that was written to block (legacy/crawler.c, plain C without a
// word of Tendril): one page after the other, then the same object code from fibers. This program
// links libtendril_shim, so that in a fiber its getaddrinfo, connect, write and read wait in the
// hub.

#include "crawl.hpp"
#include "libc_resolver.hpp"
#include "screen.hpp"
#include "site.hpp"
#include "timeline.hpp"

#include "legacy/crawler.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/resource.h>

namespace {

constexpr int own_pages = 400;
constexpr int foreign_pages = 100;
constexpr int foreign_at_once = 16; // somebody else's server

struct arguments {
    std::string url; // empty: our own site
    int pages = 0;
    std::string timeline; // a file; empty: none
};

constexpr char usage[] =
    "usage: tendril_demo [--pages N] [--svg FILE] [http://HOST[:PORT][/PATH]]\n"
    "  crawls a site of its own with N pages (400), or the site at the URL, up\n"
    "  to N pages (100): one after the other, then in fibers; draws into FILE\n"
    "  when each page was fetched\n";

[[noreturn]] void fail_usage(const std::string& message) {
    std::fprintf(stderr, "demo: %s\n%s", message.c_str(), usage);
    std::exit(2);
}

arguments parse(int argc, char** argv) {
    arguments parsed;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        crawl_url url;
        if (argument == "--help" || argument == "-h") {
            std::fputs(usage, stdout);
            std::exit(0);
        }
        if (argument == "--pages") {
            parsed.pages = i + 1 < argc ? std::atoi(argv[++i]) : 0;
            if (parsed.pages < 1 || parsed.pages > 100000) {
                fail_usage("--pages needs a number from 1 to 100000");
            }
        } else if (argument == "--svg") {
            parsed.timeline = i + 1 < argc ? argv[++i] : "";
            if (parsed.timeline.empty()) {
                fail_usage("--svg needs a file to write");
            }
        } else if (argument[0] == '-' || !parsed.url.empty()) {
            fail_usage("what is '" + argument + "'?");
        } else if (crawl_parse_url(argv[i], &url) != 0) {
            fail_usage("'" + argument + "' is not an http URL");
        } else {
            char text[CRAWL_URL_MAX];
            crawl_format_url(&url, text);
            parsed.url = text;
        }
    }
    if (parsed.pages == 0) {
        parsed.pages = parsed.url.empty() ? own_pages : foreign_pages;
    }
    return parsed;
}

/// A connection for each page, at both ends.
void allow_many_fds() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, 4096));
    setrlimit(RLIMIT_NOFILE, &limit);
}

std::string address_of(const demo::site& site) {
    demo::ask_dns_server_at(site.dns_port());
    std::string host = demo::site::host;
    if (!demo::libc_finds(demo::site::host)) {
        std::printf("This machine's libc does not ask our DNS server (see nsswitch.conf), so that "
                    "both passes use the address 127.0.0.1.\n");
        host = "127.0.0.1";
    }
    return "http://" + host + ":" + std::to_string(site.http_port()) + "/";
}

/// 0 if both passes fetched all there was.
int judge(const arguments& asked, const demo::figures& sequential,
          const demo::figures& concurrent) {
    if (asked.url.empty() && (sequential.pages != asked.pages || concurrent.pages != asked.pages)) {
        std::fprintf(stderr, "demo: not all pages of our own site were fetched\n");
        return 1;
    }
    if (concurrent.hub.waits.read == 0) {
        std::fprintf(stderr, "demo: no call waited in the hub: the shim interposes nothing\n");
        return 1;
    }
    return 0;
}

/// Opened before anything is crawled, so that a bad name costs no time.
std::ofstream open_timeline(const std::string& path) {
    std::ofstream file;
    if (!path.empty()) {
        file.open(path);
        if (!file) {
            throw std::system_error(errno, std::generic_category(), path);
        }
    }
    return file;
}

int run(const arguments& asked) {
    std::ofstream timeline = open_timeline(asked.timeline);
    std::unique_ptr<demo::site> own;
    std::string start = asked.url;
    int at_once = std::min(asked.pages, foreign_at_once);
    if (start.empty()) {
        own = std::make_unique<demo::site>(asked.pages);
        start = address_of(*own);
        at_once = asked.pages;
        std::printf("A site of %d linked pages at %s, each answering after %d ms.\n", asked.pages,
                    start.c_str(), demo::site::answers_after_ms);
    } else {
        std::printf("At most %d pages of the site at %s.\n", asked.pages, start.c_str());
    }
    std::printf("The client: examples/legacy/crawler.c, which blocks.\n\n");

    demo::progress_line first("One page after the other");
    const auto sequential = demo::crawl(start, asked.pages, [&](int done, int known) {
                                first.update(done, known);
                            }).one_after_the_other();
    first.finish(sequential);
    demo::print_failures(sequential);
    if (sequential.pages == 0) {
        std::fprintf(stderr, "demo: no page could be fetched\n");
        return 1;
    }
    demo::progress_line second("The same code in " + std::to_string(at_once) + " fibers");
    const auto concurrent = demo::crawl(start, asked.pages, [&](int done, int known) {
                                second.update(done, known);
                            }).in_fibers(at_once);
    second.finish(concurrent);
    demo::print_failures(concurrent);

    demo::print_table(sequential, concurrent);
    demo::print_waits(concurrent.hub);
    if (timeline.is_open()) {
        demo::draw_timeline(timeline, sequential, concurrent);
        if (!timeline.flush()) {
            throw std::runtime_error(asked.timeline + " could not be written");
        }
        std::printf("\nWhen each page was fetched: %s\n", asked.timeline.c_str());
    }
    std::printf("\ndemo: %d pages, sequential %.2f s, concurrent %.2f s, speed-up %.1f, OS threads "
                "%d\n",
                concurrent.pages, sequential.seconds, concurrent.seconds,
                sequential.seconds / concurrent.seconds,
                std::max(sequential.threads, concurrent.threads));
    return judge(asked, sequential, concurrent);
}

} // namespace

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN); // the client writes to sockets by write()
    allow_many_fds();
    try {
        return run(parse(argc, argv));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "demo: %s\n", e.what());
        return 1;
    }
}
