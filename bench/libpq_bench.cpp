// SPDX-License-Identifier: BSL-1.0
// Many sessions ask a PostgreSQL server to sleep, at once, on one thread: by blocking PQexec in
// fibers under the shim, and by libpq's asynchronous interface from an epoll loop.

#include "bench/support/measure.hpp"

#include <tendril/fiber.hpp>

#include <string>
#include <vector>

#include <libpq-fe.h>
#include <sys/epoll.h>

namespace {

constexpr char query[] = "select pg_sleep(0.1)";

void check(bool good, PGconn* connection) {
    if (!good) {
        std::fprintf(stderr, "%s", PQerrorMessage(connection));
        std::exit(1);
    }
}

void take(PGresult* result, PGconn* connection) {
    check(PQresultStatus(result) == PGRES_TUPLES_OK, connection);
    PQclear(result);
}

void by_loop(const std::vector<PGconn*>& all) {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (PGconn* each : all) {
        check(PQsetnonblocking(each, 1) == 0, each);
        check(PQsendQuery(each, query) == 1 && PQflush(each) == 0, each);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = each;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, PQsocket(each), &event) != 0) {
            bench::fail("epoll_ctl");
        }
    }
    epoll_event ready[64];
    for (std::size_t left = all.size(); left > 0;) {
        const int n = epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < n; ++i) {
            auto* const each = static_cast<PGconn*>(ready[i].data.ptr);
            check(PQconsumeInput(each) == 1, each);
            while (PQisBusy(each) == 0) {
                PGresult* const result = PQgetResult(each);
                if (result == nullptr) {
                    epoll_ctl(epoll, EPOLL_CTL_DEL, PQsocket(each), nullptr);
                    --left;
                    break;
                }
                take(result, each);
            }
        }
    }
}

void by_fibers(const std::vector<PGconn*>& all) {
    std::vector<tendril::fiber<void>> fibers;
    for (PGconn* each : all) {
        fibers.push_back(tendril::spawn([each] { take(PQexec(each, query), each); }));
    }
    for (auto& each : fibers) {
        each.join();
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string impl = argc == 4 ? argv[1] : "";
    const int sessions = argc == 4 ? std::atoi(argv[2]) : 0;
    if (sessions < 1 || (impl != "floor" && impl != "shim")) {
        bench::usage(argv[0], "floor|shim SESSIONS CONNECTION");
    }
    bench::raise_descriptor_limit();
    std::vector<PGconn*> all;
    for (int i = 0; i < sessions; ++i) {
        all.push_back(PQconnectdb(argv[3]));
        check(PQstatus(all.back()) == CONNECTION_OK, all.back());
        take(PQexec(all.back(), "select pg_sleep(0)"), all.back()); // the server's caches
    }
    const std::int64_t begin = bench::now_ns();
    const std::int64_t cpu = bench::cpu_ns();
    impl == "floor" ? by_loop(all) : by_fibers(all);
    bench::report("wall", static_cast<double>(bench::now_ns() - begin) / 1e6, "ms");
    bench::report("cpu", static_cast<double>(bench::cpu_ns() - cpu) / 1e6, "ms");
    for (PGconn* each : all) {
        PQfinish(each);
    }
}
