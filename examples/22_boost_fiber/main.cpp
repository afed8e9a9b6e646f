// SPDX-License-Identifier: BSL-1.0
//
// A Boost.Fiber program, as it was written: a pipeline of its fibers over its channels. One fiber
// names the pages of a site, some fetch them (fetch.cpp: getaddrinfo, connect, read, as for
// threads), one counts their links. The one line of Tendril runs them on a hub, and the shim that
// is linked makes those calls wait there, so the fetchers wait at once. Try: 1 fetcher. Run:
// build/dev/bin/22_boost_fiber [FETCHERS]

#include "fetch.hpp"

#include "demo/libc_resolver.hpp"
#include "demo/site.hpp"

#include <tendril/boost_fiber.hpp>

#include <boost/fiber/all.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace fibers = boost::fibers;

constexpr int site_pages = 40;

struct fetching {
    int now = 0, most = 0; // at once
    long failed = 0;
};

static void fetch_all(const std::string& host, const std::string& port,
                      fibers::buffered_channel<std::string>& paths,
                      fibers::buffered_channel<std::string>& texts, fetching& all) {
    for (const std::string& path : paths) {
        all.most = std::max(all.most, ++all.now);
        try {
            texts.push(fetch(host, port, path));
        } catch (const std::exception& e) {
            std::fprintf(stderr, "22_boost_fiber: %s: %s\n", path.c_str(), e.what());
            ++all.failed;
        }
        --all.now;
    }
}

static long count_links(const std::string& text) {
    long links = 0;
    for (std::size_t at = 0; (at = text.find("href=", at)) != std::string::npos; ++at) {
        ++links;
    }
    return links;
}

int main(int argc, char** argv) {
    char* end = nullptr;
    const long fetchers = argc > 1 ? std::strtol(argv[1], &end, 10) : 8;
    if (argc > 2 || (end != nullptr && *end != '\0') || fetchers < 1 || fetchers > 1000) {
        std::fprintf(stderr, "usage: 22_boost_fiber [FETCHERS, from 1 to 1000]\n");
        return 2;
    }
    const demo::site site(site_pages); // in a process of its own
    demo::ask_dns_server_at(site.dns_port());
    const std::string host = demo::libc_finds(demo::site::host) ? demo::site::host : "127.0.0.1";
    const std::string port = std::to_string(site.http_port());

    fibers::use_scheduling_algorithm<tendril::boost_fiber::hub_algorithm>();

    fibers::buffered_channel<std::string> paths(16), texts(16);
    fibers::fiber source([&] {
        for (int n = 0; n < site_pages; ++n) {
            paths.push("/page/" + std::to_string(n));
        }
        paths.close();
    });
    fetching all;
    std::vector<fibers::fiber> crew;
    for (long i = 0; i < fetchers; ++i) {
        crew.emplace_back([&] { fetch_all(host, port, paths, texts, all); });
    }
    fibers::future<std::pair<long, long>> counted = fibers::async([&] {
        long pages = 0, links = 0;
        for (const std::string& text : texts) {
            ++pages;
            links += count_links(text);
        }
        return std::make_pair(pages, links);
    });
    source.join();
    for (fibers::fiber& f : crew) {
        f.join();
    }
    texts.close();
    const auto [pages, links] = counted.get();
    std::printf("%ld pages with %ld links, up to %d at once\n", pages, links, all.most);
    return all.failed == 0 ? 0 : 1;
}
