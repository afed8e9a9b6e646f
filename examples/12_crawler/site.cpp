// SPDX-License-Identifier: BSL-1.0
#include "site.hpp"

#include <tendril/fiber.hpp>

#include <chrono>
#include <cstdlib>

namespace net = tendril::net;

static void serve(net::tcp_stream client, int pages) {
    const std::string request = client.read_until("\r\n\r\n");
    tendril::this_fiber::sleep_for(std::chrono::milliseconds(20)); // as if it were far away
    const int page = std::atoi(request.c_str() + sizeof "GET /" - 1);
    std::string body = "<a href=\"/1\">";
    for (int link = 2 * page; link <= 2 * page + 1; ++link) {
        if (link <= pages) {
            body += "<a href=\"/" + std::to_string(link) + "\">";
        }
    }
    client.write_all("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + body);
}

void serve_site(net::tcp_listener& listener, int pages) {
    for (;;) {
        tendril::spawn(serve, listener.accept(), pages);
    }
}

std::vector<std::string> fetch_links(const net::endpoint& site, const std::string& path) {
    auto server = net::tcp_stream::connect(site);
    server.write_all("GET " + path + " HTTP/1.0\r\n\r\n");
    std::string page;
    char part[4096];
    while (const std::size_t n = server.read_some(part, sizeof part)) {
        page.append(part, n);
    }
    std::vector<std::string> links;
    for (std::size_t at = 0; (at = page.find("href=\"", at)) != std::string::npos;) {
        at += 6;
        links.push_back(page.substr(at, page.find('"', at) - at));
    }
    return links;
}
