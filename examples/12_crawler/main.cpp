// SPDX-License-Identifier: BSL-1.0
//
// A crawler with a limit on how many pages it fetches at once, in two ways. First a queue of work
// and a few workers: join() waits until every page that was put in is done. Then a fiber for each
// page and a semaphore: each waits for those it spawned. Both remember in a plain set what they
// have seen, without a lock, because fibers of one thread switch only where they wait. Try: 1 at
// once. Run: build/dev/bin/12_crawler [AT-ONCE]

#include "site.hpp"

#include <tendril/tendril.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace net = tendril::net;

struct crawl {
    net::endpoint site;
    std::set<std::string> seen;
    int now = 0, most = 0; // fetches at once
};

std::vector<std::string> fetch(crawl& c, const std::string& path) {
    c.most = std::max(c.most, ++c.now);
    std::vector<std::string> links = fetch_links(c.site, path);
    --c.now;
    return links;
}

void crawl_by_workers(crawl& c, long workers) {
    tendril::queue<std::string> work;
    const auto found = [&](const std::string& path) {
        if (c.seen.insert(path).second) {
            work.put(path);
        }
    };
    std::vector<tendril::fiber<void>> crew;
    for (long i = 0; i < workers; ++i) {
        crew.push_back(tendril::spawn([&] {
            for (const std::string& path : work) { // until it is shut down
                for (const std::string& link : fetch(c, path)) {
                    found(link);
                }
                work.task_done();
            }
        }));
    }
    found("/1");
    work.join();
    work.shutdown();
    for (auto& worker : crew) {
        worker.join();
    }
}

void visit(crawl& c, tendril::counting_semaphore<>& limit, const std::string& path) {
    limit.acquire();
    const std::vector<std::string> links = fetch(c, path);
    limit.release();
    std::vector<tendril::fiber<void>> visits;
    for (const std::string& link : links) {
        if (c.seen.insert(link).second) {
            visits.push_back(tendril::spawn(visit, std::ref(c), std::ref(limit), link));
        }
    }
    for (auto& each : visits) {
        each.join();
    }
}

void report(const char* how, const crawl& c) {
    std::printf("%s: %zu pages, up to %d at once\n", how, c.seen.size(), c.most);
}

int main(int argc, char** argv) {
    char* end = nullptr;
    const long at_once = argc > 1 ? std::strtol(argv[1], &end, 10) : 4;
    if (argc > 2 || (end != nullptr && *end != '\0') || at_once < 1 || at_once > 1000) {
        std::fprintf(stderr, "usage: 12_crawler [AT-ONCE, from 1 to 1000]\n");
        return 2;
    }
    auto listener = net::tcp_listener::listen("127.0.0.1:0");
    auto server = tendril::spawn(serve_site, std::ref(listener), 31);

    crawl first{listener.local(), {}};
    crawl_by_workers(first, at_once);
    report("a queue and workers", first);

    crawl second{listener.local(), {"/1"}};
    tendril::counting_semaphore<> limit(at_once);
    visit(second, limit, "/1");
    report("a fiber for each page and a semaphore", second);
}
