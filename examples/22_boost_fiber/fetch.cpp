// SPDX-License-Identifier: BSL-1.0
// Knows nothing of fibers.
#include "fetch.hpp"

#include <cerrno>
#include <memory>
#include <netdb.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/types.h>
#include <system_error>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

struct connection {
    explicit connection(const addrinfo& to)
        : fd(socket(to.ai_family, to.ai_socktype, to.ai_protocol)) {
        if (fd < 0 || connect(fd, to.ai_addr, to.ai_addrlen) != 0) {
            const int error = errno;
            close(fd);
            errno = error;
            fail("connect");
        }
    }
    ~connection() { close(fd); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    const int fd;
};

} // namespace

std::string fetch(const std::string& host, const std::string& port, const std::string& path) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
        throw std::runtime_error(host + ": " + gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
    const connection server(*found);
    const std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + host + "\r\n\r\n";
    if (write(server.fd, request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
        fail("write");
    }
    std::string answer;
    char part[4096];
    ssize_t n = 0;
    while ((n = read(server.fd, part, sizeof part)) > 0) {
        answer.append(part, static_cast<std::size_t>(n));
    }
    if (n < 0) {
        fail("read");
    }
    if (answer.compare(0, 5, "HTTP/") != 0 || answer.find(" 200 ") == std::string::npos) {
        throw std::runtime_error("the server says " + answer.substr(0, answer.find('\r')));
    }
    return answer;
}
