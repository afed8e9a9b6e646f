// SPDX-License-Identifier: BSL-1.0
// Boost.Asio beside us: the same work with its stackful coroutines, asio::spawn, on an io_context
// that knows of one thread only. Nothing joins a coroutine; run() returns when none is left.

#include "bench/support/echo.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/sleepers.hpp"
#include "bench/support/work.hpp"

#include <chrono>
#include <string>
#include <utility> // before Asio, which forgets it in 1.74

#define BOOST_ALLOW_DEPRECATED_HEADERS
#define BOOST_COROUTINES_NO_DEPRECATION_WARNING
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

template <typename Function>
void start(asio::io_context& context, Function function) {
    asio::spawn(context, std::move(function), boost::coroutines::attributes(64 * 1024));
}

void switches(int fibers) {
    asio::io_context context(1);
    bench::yield_work work(fibers, 50'000);
    for (int i = 0; i < fibers; ++i) {
        start(context,
              [&](asio::yield_context yield) { work.body([&] { asio::post(context, yield); }); });
    }
    context.run();
    work.report();
}

void spawns(int fibers, int rounds) {
    asio::io_context context(1);
    long done = 0;
    bench::spawn_work(fibers, rounds, [&] {
        for (int i = 0; i < fibers; ++i) {
            start(context, [&done](asio::yield_context) { ++done; });
        }
        context.run();
        context.restart();
    });
}

void sleepers(const char* path) {
    const auto sleeps = bench::read_sleeps(path);
    const bench::sleepers_result begin(sleeps);
    asio::io_context context(1);
    for (const std::int64_t ns : sleeps) {
        start(context, [&context, ns](asio::yield_context yield) {
            asio::steady_timer timer(context, std::chrono::nanoseconds(ns));
            timer.async_wait(yield);
        });
    }
    context.run();
    begin.report();
}

void serve(tcp::socket& client, asio::yield_context yield) {
    char buffer[bench::echo_buffer];
    boost::system::error_code error;
    while (true) {
        const std::size_t n = client.async_read_some(asio::buffer(buffer), yield[error]);
        if (error) {
            return;
        }
        asio::async_write(client, asio::buffer(buffer, n), yield[error]);
        if (error) {
            return;
        }
    }
}

void echo() {
    asio::io_context context(1);
    tcp::acceptor acceptor(context, tcp::v4(), bench::echo_listener(0));
    start(context, [&](asio::yield_context yield) {
        while (true) {
            tcp::socket client(context);
            acceptor.async_accept(client, yield);
            start(context, [client = std::move(client)](asio::yield_context inner) mutable {
                serve(client, inner);
            });
        }
    });
    context.run();
}

} // namespace

int main(int argc, char** argv) {
    const std::string bench = argc == 3 ? argv[1] : "";
    const std::string which = argc == 3 ? argv[2] : "";
    if (bench == "switch") {
        switches(std::atoi(argv[2]));
    } else if (bench == "spawn") {
        spawns(which == "one" ? 1 : bench::spawn_batch, which == "one" ? 20'000 : 2);
    } else if (bench == "sleepers") {
        sleepers(argv[2]);
    } else if (bench == "echo") {
        echo();
    } else {
        bench::usage(argv[0], "switch|spawn|sleepers|echo CASE");
    }
}
