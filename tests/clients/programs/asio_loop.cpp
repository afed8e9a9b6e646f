// SPDX-License-Identifier: BSL-1.0
#include "loop.hpp"

#include <array>
#include <asio.hpp>
#include <memory>

namespace {

using asio::ip::tcp;

struct server {
    explicit server(int fd, int clients)
        : acceptor(context, tcp::v4(), fd)
        , timer(context)
        , resolver(context)
        , left(clients) {}
    void accept();
    void tick();

    asio::io_context context{1};
    tcp::acceptor acceptor;
    asio::steady_timer timer;
    tcp::resolver resolver;
    loop::report result;
    int left;
};

class session : public std::enable_shared_from_this<session> {
public:
    session(server& s, tcp::socket socket)
        : server_(s)
        , socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(asio::buffer(data_),
                                [self = shared_from_this()](std::error_code error, std::size_t n) {
                                    error ? self->end() : self->echo(n);
                                });
    }

private:
    void echo(std::size_t n) {
        server_.result.bytes += static_cast<long>(n);
        asio::async_write(socket_, asio::buffer(data_.data(), n),
                          [self = shared_from_this()](std::error_code error, std::size_t) {
                              error ? self->end() : self->read();
                          });
    }
    void end() {
        if (--server_.left == 0) {
            server_.context.stop();
        }
    }

    server& server_;
    tcp::socket socket_;
    std::array<char, 30'000> data_;
};

void server::accept() {
    acceptor.async_accept([this](std::error_code error, tcp::socket socket) {
        loop::require(!error, "accept");
        ++result.connections;
        std::make_shared<session>(*this, std::move(socket))->read();
        accept();
    });
}

void server::tick() {
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait([this](std::error_code) {
        result.timer = true;
        tick();
    });
}

loop::report serve(int fd, int clients) {
    server s(fd, clients);
    s.accept();
    s.tick();
    // On a thread of its own, which hands the answer back.
    s.resolver.async_resolve("127.0.0.1", "80",
                             [&](std::error_code error, const auto&) { s.result.worker = !error; });
    s.context.run();
    return s.result;
}

} // namespace

// Asio lists in thread-local storage which loops run on the thread, innermost first: two of them
// must not take turns on one.
int main() {
    return loop::run(1, serve);
}
