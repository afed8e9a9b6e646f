// SPDX-License-Identifier: BSL-1.0
//
// An HTTP request as RFC 9112 has it, in a straight line over a plain socket: the calls of POSIX on
// a file descriptor, from tendril::io. Where one would block the thread, the fiber waits. Without
// an argument it asks a server of its own, which is a fiber of the same thread. Try: another site,
// as example.org:80, and many fetches at once. Run: build/dev/bin/06_http [HOST:PORT [PATH]]

#include <tendril/tendril.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>

namespace io = tendril::io;
namespace net = tendril::net;
using namespace std::chrono_literals;

std::string fetch(const net::endpoint& from, const std::string& path) {
    const tendril::dns::address to =
        tendril::dns::resolve(from.host(), from.service()).addresses.front();
    const io::unique_fd fd(::socket(to.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    io::connect(fd.get(), to.data(), to.size(), 10s);
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: " + from.host() + "\r\nConnection: close\r\n\r\n";
    io::send(fd.get(), request.data(), request.size());
    std::string answer;
    char part[4096];
    while (const std::size_t n = io::recv(fd.get(), part, sizeof part, 0, 10s)) {
        answer.append(part, n);
    }
    return answer;
}

void serve(net::tcp_stream client) {
    const std::string request = client.read_until("\r\n\r\n");
    const std::string page = "You asked for: " + request.substr(0, request.find('\r')) + "\n";
    client.write_all("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                     "Content-Length: " +
                     std::to_string(page.size()) + "\r\n\r\n" + page);
}

int main(int argc, char** argv) {
    net::endpoint from;
    try {
        if (argc > 3 || (argc == 3 && *argv[2] != '/')) {
            throw std::invalid_argument("a path begins with a slash");
        }
        from = argc > 1 ? net::endpoint(argv[1]) : net::endpoint();
    } catch (const std::invalid_argument& e) {
        std::fprintf(stderr, "06_http: %s\nusage: 06_http [HOST:PORT [PATH]]\n", e.what());
        return 2;
    }
    net::tcp_listener listener;
    if (argc == 1) {
        listener = net::tcp_listener::listen("127.0.0.1:0");
        from = listener.local();
        tendril::spawn([&] { serve(listener.accept()); });
    }
    try {
        const std::string answer = fetch(from, argc > 2 ? argv[2] : "/");
        const std::size_t end_of_head = answer.find("\r\n\r\n");
        std::printf("status: %s\n", answer.substr(0, answer.find('\r')).c_str());
        std::printf("body:   %s", answer.substr(end_of_head + 4).c_str());
    } catch (const std::system_error& e) {
        std::fprintf(stderr, "06_http: %s\n", e.what());
        return 1;
    }
}
