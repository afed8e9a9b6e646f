// SPDX-License-Identifier: BSL-1.0
#include "database.hpp"

#include <libpq-fe.h>
#include <linux/sockios.h>

#include <memory>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using client::connections;
using client::require;

class connection {
public:
    explicit connection(const std::string& more = "")
        : handle_(PQconnectdb((client::address + (" " + more)).c_str())) {
        require(PQstatus(handle_) == CONNECTION_OK, PQerrorMessage, handle_);
    }
    connection(const connection&) = delete;
    ~connection() { PQfinish(handle_); }
    PGconn* get() const noexcept { return handle_; }

    /// The first value of the result.
    std::string ask(const char* query) const {
        PGresult* result = PQexec(handle_, query);
        const auto status = PQresultStatus(result);
        std::string value =
            status == PGRES_TUPLES_OK && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
        PQclear(result);
        require(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, PQerrorMessage, handle_);
        return value;
    }

private:
    PGconn* handle_;
};

void sleeps() {
    client::sleep_at_once<connection>(
        {"select pg_sleep(0.1)", "select pg_sleep(1)", "select pg_sleep(10)"});
}

/// None can answer before the server says that it has all 200 queries.
void locks() {
    const connection holder, observer;
    holder.ask("select pg_advisory_lock(1)");
    auto observing = tendril::spawn([&] {
        while (observer.ask(
                   "select count(*) from pg_locks where locktype = 'advisory' and not granted") !=
               std::to_string(connections)) {
        }
        holder.ask("select pg_advisory_unlock(1)");
    });
    client::in_progress asking;
    client::at_once<connection>(
        asking, [](const connection& c) { c.ask("select pg_advisory_lock_shared(1)"); });
    observing.get();
    std::printf("%d at once\n", asking.most());
}

void copy() {
    require(client::argument_count == 1, "how many MiB?");
    const std::size_t rows = std::strtoul(client::arguments[0], nullptr, 10) << 10;
    constexpr std::size_t row_size = 1024;
    const connection c;
    c.ask("create temporary table rows (text text)");
    PQclear(PQexec(c.get(), "copy rows from stdin"));
    std::string row(row_size, '\n');
    unsigned seed = 1;
    for (std::size_t i = 0; i < rows; ++i) {
        client::fill(row.data(), row_size - 1, seed);
        require(PQputCopyData(c.get(), row.data(), static_cast<int>(row_size)) == 1, PQerrorMessage,
                c.get());
    }
    require(PQputCopyEnd(c.get(), nullptr) == 1, PQerrorMessage, c.get());
    PGresult* end = PQgetResult(c.get());
    require(PQresultStatus(end) == PGRES_COMMAND_OK, PQerrorMessage, c.get());
    PQclear(end);
    require(PQgetResult(c.get()) == nullptr, "more than one result");

    // A heap scan returns the rows of a temporary table in the order in which they came.
    PQclear(PQexec(c.get(), "copy rows to stdout"));
    char* got = nullptr;
    std::size_t count = 0;
    int size = 0;
    for (seed = 1; (size = PQgetCopyData(c.get(), &got, 0)) > 0; ++count) {
        client::fill(row.data(), row_size - 1, seed);
        require(static_cast<std::size_t>(size) == row_size &&
                    std::memcmp(got, row.data(), row_size) == 0,
                "another row than was sent");
        PQfreemem(got);
    }
    require(size == -1, PQerrorMessage, c.get());
    std::printf("%zu rows in, %zu rows out\n", rows, count);
}

/// A fiber asks for an hour; another one takes the question back. Both calls block.
void cancel() {
    const connection c, observer;
    auto asking = tendril::spawn([&] {
        PGresult* result = PQexec(c.get(), "select pg_sleep(3600)");
        const std::string state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        PQclear(result);
        return state;
    });
    const std::string active = "select count(*) from pg_stat_activity where state = 'active' and "
                               "wait_event = 'PgSleep' and pid = " +
                               std::to_string(PQbackendPID(c.get()));
    while (observer.ask(active.c_str()) != "1") {
    }
    PGcancel* cancel = PQgetCancel(c.get());
    char error[256] = "";
    require(PQcancel(cancel, error, sizeof error) == 1, error);
    PQfreeCancel(cancel);
    std::printf("cancelled: %s\n", asking.get().c_str());
    std::printf("afterwards: %s\n", c.ask("select 6 * 7").c_str());
}

void notices() {
    const connection c;
    PQsetNoticeProcessor(
        c.get(), [](void*, const char* message) { std::printf("%s", message); }, nullptr);
    c.ask("do $$ begin raise notice 'climbing'; end $$");

    // Another session's notification: the fiber waits for the socket, as libpq's manual shows.
    const connection listener;
    listener.ask("listen tendril");
    auto hearing = tendril::spawn([&] {
        PGnotify* heard = nullptr;
        while (PQconsumeInput(listener.get()) == 1 &&
               (heard = PQnotifies(listener.get())) == nullptr) {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(PQsocket(listener.get()), &set);
            require(select(PQsocket(listener.get()) + 1, &set, nullptr, nullptr, nullptr) == 1,
                    "select");
        }
        require(heard != nullptr, PQerrorMessage, listener.get());
        std::printf("notified: %s\n", heard->extra);
        PQfreemem(heard);
    });
    c.ask("notify tendril, 'from another session'");
    hearing.get();
}

void tls() {
    client::in_fibers(20, [](int i) {
        const connection c;
        require(PQsslInUse(c.get()) == 1, "no TLS");
        const std::string query = "select " + std::to_string(i) + " + length(repeat('x', 1000000))";
        require(c.ask(query.c_str()) == std::to_string(1000000 + i), "wrong sum");
        require(c.ask("select repeat('tendril', 100000)").size() == 700000, "wrong size");
    });
    std::printf("20 sessions in TLS\n");
}

/// A port that accepts and then says nothing; libpq's own time limit ends that.
void timeout() {
    tendril::net::tcp_listener silent = tendril::net::tcp_listener::listen("127.0.0.1:0");
    const std::string where = "host=127.0.0.1 connect_timeout=2 sslmode=disable user=x port=" +
                              std::to_string(silent.local().port());
    client::in_fibers(20, [&](int) {
        PGconn* c = PQconnectdb(where.c_str());
        const std::string error = PQerrorMessage(c);
        const bool failed = PQstatus(c) == CONNECTION_BAD;
        PQfinish(c);
        require(failed && error.find("timeout expired") != std::string::npos, error);
    });
    const connection c;
    c.ask("set statement_timeout = 50");
    PGresult* result = PQexec(c.get(), "select pg_sleep(3600)");
    std::printf("20 timeouts; statement: %s\n", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    PQclear(result);
}

/// As servers with a pool do: 10,000 fibers share 10 connections, each asks twice in a transaction.
void pool() {
    constexpr int fibers = 10'000, size = 10;
    std::vector<std::unique_ptr<connection>> all;
    tendril::queue<connection*> idle(size);
    for (int i = 0; i < size; ++i) {
        all.push_back(std::make_unique<connection>());
        idle.put(all.back().get());
    }
    client::in_progress waiting, asking;
    std::vector<int> got(fibers, 0);
    client::in_fibers(fibers, [&](int i) {
        connection* const c = waiting([&] { return idle.get(); });
        asking([&] {
            c->ask(("begin; select set_config('tendril.fiber', '" + std::to_string(i) + "', true)")
                       .c_str());
            const std::string mine = c->ask("select current_setting('tendril.fiber')");
            require(mine == std::to_string(i), "another fiber's transaction");
            c->ask("commit");
            ++got[static_cast<std::size_t>(i)];
        });
        idle.put(c);
    });
    require(got == std::vector<int>(fibers, 1), "not everybody was served");
    std::printf("%d fibers, %d at once\n", fibers, asking.most());
    std::fprintf(stderr, "%d waited for a connection at once\n", waiting.most());
}

void loopback(bool up) {
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = up ? IFF_UP : 0;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    require(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
    close(fd);
}

/// The network goes away: this process has one of its own, with a server that says no more than it
/// must. libpq's own limits end the query.
void unreachable() {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        std::printf("not permitted\n");
        return;
    }
    loopback(true);
    tendril::net::tcp_listener listener = tendril::net::tcp_listener::listen("127.0.0.1:0");
    const std::string port = std::to_string(listener.local().port());
    std::vector<tendril::net::tcp_stream> streams;
    auto serving = tendril::spawn([&] {
        for (int i = 0; i < 2; ++i) {
            streams.push_back(listener.accept());
            char request[1024];
            streams.back().read_some(request, sizeof request);
            // AuthenticationOk, ReadyForQuery
            streams.back().write_all("R\0\0\0\10\0\0\0\0Z\0\0\0\5I", 15);
        }
    });
    const std::string where =
        "host=127.0.0.1 sslmode=disable gssencmode=disable user=x port=" + port;
    const auto ask = [&](const char* limits) {
        PGconn* const c = PQconnectdb((where + limits).c_str());
        require(PQstatus(c) == CONNECTION_OK, PQerrorMessage, c);
        return c;
    };
    PGconn* const kept_alive =
        ask(" keepalives_idle=1 keepalives_interval=1 keepalives_count=1 tcp_user_timeout=0");
    PGconn* const sending = ask(" keepalives_idle=3600 tcp_user_timeout=500");
    serving.join();
    std::vector<tendril::fiber<void>> fibers;
    // One query has arrived when the network ends, so that nothing is sent but probes; the other
    // has not.
    PQsendQuery(kept_alive, "select 1");
    PQflush(kept_alive);
    for (int unacknowledged = 1; unacknowledged != 0; usleep(1000)) {
        require(ioctl(PQsocket(kept_alive), SIOCOUTQ, &unacknowledged) == 0, "SIOCOUTQ");
    }
    loopback(false);
    for (PGconn* c : {kept_alive, sending}) {
        fibers.push_back(tendril::spawn([c, sends = c == sending] {
            PGresult* const result = sends ? PQexec(c, "select 1") : PQgetResult(c);
            const bool failed =
                PQresultStatus(result) == PGRES_FATAL_ERROR && PQstatus(c) == CONNECTION_BAD;
            PQclear(result);
            require(failed, "a result from nowhere");
            std::printf("%s", PQerrorMessage(c));
            PQfinish(c);
        }));
    }
    for (auto& each : fibers) {
        each.get();
    }
}

/// clients_test.py kills the server when it reads "asked".
void killed() {
    constexpr int count = 10;
    tendril::latch connected(count + 1);
    connection observer;
    auto observing = tendril::spawn([&] {
        connected.arrive_and_wait();
        while (observer.ask("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") !=
               std::to_string(count)) {
        }
        std::printf("asked\n");
    });
    client::in_fibers(count, [&](int) {
        const connection c;
        connected.arrive_and_wait();
        PGresult* result = PQexec(c.get(), "select pg_sleep(3600)");
        const bool failed =
            PQresultStatus(result) == PGRES_FATAL_ERROR && PQstatus(c.get()) == CONNECTION_BAD;
        PQclear(result);
        require(failed, "a result from a killed server");
        std::printf("%s", PQerrorMessage(c.get()));
    });
    observing.get();
}

} // namespace

int main(int argc, char** argv) {
    return client::run(argc, argv,
                       {{"sleeps", sleeps},
                        {"locks", locks},
                        {"copy", copy},
                        {"cancel", cancel},
                        {"notices", notices},
                        {"tls", tls},
                        {"timeout", timeout},
                        {"pool", pool},
                        {"unreachable", unreachable},
                        {"killed", killed}});
}
