// SPDX-License-Identifier: BSL-1.0
#include "site.hpp"

#include "dns_responder.hpp"

#include <tendril/tendril.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace demo {

namespace {

using namespace std::chrono_literals;
namespace net = tendril::net;

/// Page n links to eight more, so that three clicks lead to the 400th, and back home.
std::string page(int n, int pages) {
    std::string text = "<html><head><title>Page " + std::to_string(n) + "</title></head><body>\n";
    text += "<p><a href=\"/\">Home</a></p>\n<ul>\n";
    for (int next = n * 8 + 1; next <= n * 8 + 8 && next < pages; ++next) {
        text += "<li><a href=\"/page/" + std::to_string(next) + "\">Page " + std::to_string(next) +
                "</a></li>\n";
    }
    return text + "</ul>\n</body></html>\n";
}

/// The page that the first line of a request asks for, or -1.
int requested(const std::string& head, int pages) {
    int n = -1;
    if (head.rfind("GET / ", 0) == 0) {
        return 0;
    }
    return std::sscanf(head.c_str(), "GET /page/%d ", &n) == 1 && n >= 0 && n < pages ? n : -1;
}

void answer(net::tcp_stream client, int pages) {
    try {
        client.set_timeout(30s);
        const int n = requested(client.read_until("\r\n\r\n"), pages);
        tendril::this_fiber::sleep_for(std::chrono::milliseconds(site::answers_after_ms));
        const std::string body = n < 0 ? "<html>There is no such page.</html>\n" : page(n, pages);
        client.write_all((n < 0 ? "HTTP/1.0 404 Not Found\r\n" : "HTTP/1.0 200 OK\r\n") +
                         std::string("Content-Type: text/html\r\nContent-Length: ") +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
    } catch (const std::exception&) {
        // The client went away, or said nothing: its own affair.
    }
}

void serve_pages(net::tcp_listener& listener, int pages) {
    for (;;) {
        tendril::spawn(answer, listener.accept(), pages);
    }
}

void serve_names(int fd) {
    for (;;) {
        sockaddr_in from{};
        socklen_t from_size = sizeof from;
        auto* const peer = reinterpret_cast<sockaddr*>(&from);
        std::vector<std::uint8_t> message(512);
        message.resize(
            tendril::io::recvfrom(fd, message.data(), message.size(), 0, peer, &from_size));
        if (answer_query(message, site::host)) {
            tendril::io::sendto(fd, message.data(), message.size(), 0, peer, from_size);
        }
    }
}

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::system_category(), what);
}

int udp_socket(std::uint16_t& port) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    const int room = 1 << 20; // hundreds of questions come at once, also while another process runs
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    if (fd < 0 || bind(fd, address, size) != 0 || getsockname(fd, address, &size) != 0) {
        fail("the DNS server's socket");
    }
    port = ntohs(at.sin_port);
    return fd;
}

} // namespace

site::site(int pages) {
    int report[2];
    int alive[2];
    if (pipe(report) != 0 || pipe(alive) != 0) {
        fail("pipe");
    }
    process_ = fork();
    if (process_ < 0) {
        fail("fork");
    }
    if (process_ == 0) {
        close(report[0]);
        close(alive[1]);
        serve(pages, report[1], alive[0]);
    }
    close(report[1]);
    close(alive[0]);
    alive_ = alive[1];
    const ssize_t n = read(report[0], &ports_, sizeof ports_);
    close(report[0]);
    if (n != static_cast<ssize_t>(sizeof ports_)) {
        throw std::runtime_error("the site could not be started");
    }
}

site::~site() {
    close(alive_);
    waitpid(process_, nullptr, 0);
}

void site::serve(int pages, int report, int parent) noexcept {
    try {
        signal(SIGINT, SIG_IGN); // the parent's end is ours
        ports made{};
        auto listener = net::tcp_listener::listen("127.0.0.1:0");
        made.http = listener.local().port();
        const int names = udp_socket(made.dns);
        tendril::spawn({"pages"}, [&] { serve_pages(listener, pages); });
        tendril::spawn({"names"}, [&] { serve_names(names); });
        tendril::io::write(report, &made, sizeof made);
        close(report);
        char nothing;
        tendril::io::read(parent, &nothing, 1); // until the parent closes it, or ends
        _exit(0);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "demo: the site: %s\n", e.what());
        _exit(1);
    }
}

} // namespace demo
