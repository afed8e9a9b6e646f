// SPDX-License-Identifier: BSL-1.0
#include "database.hpp"

#include <mysql.h>

namespace {

using client::connections;
using client::require;

/// The address is HOST:PORT.
class connection {
public:
    explicit connection(const char* certificate = nullptr)
        : handle_(mysql_init(nullptr)) {
        const std::string where = client::address;
        const auto colon = where.find(':');
        const my_bool tls = certificate != nullptr;
        mysql_optionsv(handle_, MYSQL_OPT_SSL_ENFORCE, &tls);
        mysql_optionsv(handle_, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &tls);
        mysql_optionsv(handle_, MYSQL_OPT_SSL_CA, certificate);
        const unsigned on = 1;
        mysql_optionsv(handle_, MYSQL_OPT_LOCAL_INFILE, &on);
        require(mysql_real_connect(handle_, where.substr(0, colon).c_str(), "root", "", "test",
                                   static_cast<unsigned>(std::atoi(where.c_str() + colon + 1)),
                                   nullptr, 0) != nullptr,
                mysql_error, handle_);
    }
    connection(const connection&) = delete;
    ~connection() { mysql_close(handle_); }
    MYSQL* get() const noexcept { return handle_; }

    std::string ask(const std::string& query) const {
        require(mysql_real_query(handle_, query.data(), query.size()) == 0, mysql_error, handle_);
        MYSQL_RES* result = mysql_store_result(handle_);
        require(result != nullptr || mysql_field_count(handle_) == 0, mysql_error, handle_);
        MYSQL_ROW row = result != nullptr ? mysql_fetch_row(result) : nullptr;
        std::string value = row != nullptr && row[0] != nullptr ? row[0] : "";
        mysql_free_result(result);
        return value;
    }

private:
    MYSQL* handle_;
};

void sleeps() {
    client::sleep_at_once<connection>({"select sleep(0.1)", "select sleep(1)", "select sleep(10)"});
}

const std::string asking_for_lock =
    "select count(*) from information_schema.processlist where state = 'User lock'";

void locks() {
    const connection holder, observer;
    require(holder.ask("select get_lock('tendril', 0)") == "1", "no lock");
    auto observing = tendril::spawn([&] {
        while (observer.ask(asking_for_lock) != std::to_string(connections)) {
        }
        holder.ask("select release_lock('tendril')");
    });
    client::in_progress asking;
    client::at_once<connection>(asking, [](const connection& c) {
        require(c.ask("select get_lock('tendril', 3600)") == "1", "no lock");
        c.ask("select release_lock('tendril')");
    });
    observing.get();
    std::printf("%d at once\n", asking.most());
}

/// LOAD DATA LOCAL asks the client for a file, which here is made as it is read.
struct rows_to_send {
    std::size_t left;
    unsigned seed = 1;
};
constexpr int row_size = 1024;

void copy() {
    require(client::argument_count == 1, "how many MiB?");
    const std::size_t rows = std::strtoul(client::arguments[0], nullptr, 10) << 10;
    const connection c;
    c.ask("create temporary table rows_ (number int auto_increment primary key, text text) "
          "engine=myisam");
    rows_to_send source{rows};
    mysql_set_local_infile_handler(
        c.get(), [](void** state, const char*, void* data) { return *state = data, 0; },
        [](void* state, char* buffer, unsigned size) -> int {
            auto& from = *static_cast<rows_to_send*>(state);
            if (from.left == 0 || size < row_size) {
                return 0;
            }
            --from.left;
            client::fill(buffer, row_size - 1, from.seed);
            buffer[row_size - 1] = '\n';
            return row_size;
        },
        [](void*) {}, [](void*, char*, unsigned) { return 1; }, &source);
    c.ask("load data local infile 'rows' into table rows_ (text)");
    require(source.left == 0, "not all was read");

    require(mysql_query(c.get(), "select text from rows_ order by number") == 0, mysql_error,
            c.get());
    MYSQL_RES* result = mysql_use_result(c.get());
    std::string row(row_size - 1, '\0');
    std::size_t count = 0;
    unsigned seed = 1;
    for (MYSQL_ROW got; (got = mysql_fetch_row(result)) != nullptr; ++count) {
        client::fill(&row[0], row.size(), seed);
        require(row == got[0], "another row than was sent");
    }
    require(mysql_errno(c.get()) == 0, mysql_error, c.get());
    mysql_free_result(result);
    std::printf("%zu rows in, %zu rows out\n", rows, count);
}

/// A query that waits for a locked table is taken back.
void cancel() {
    const connection c, holder, observer;
    holder.ask("create table if not exists held (number int)");
    holder.ask("lock tables held write");
    auto asking = tendril::spawn([&] {
        mysql_query(c.get(), "insert into held values (1)");
        return mysql_errno(c.get());
    });
    while (observer.ask("select count(*) from information_schema.processlist where state like "
                        "'Waiting for table%'") != "1") {
    }
    observer.ask("kill query " + std::to_string(mysql_thread_id(c.get())));
    std::printf("cancelled: %u\n", asking.get());
    std::printf("afterwards: %s\n", c.ask("select 6 * 7").c_str());
}

void warnings() {
    const connection c;
    c.ask("drop table if exists climbing");
    std::printf("%u warning\n", mysql_warning_count(c.get()));
    require(mysql_query(c.get(), "show warnings") == 0, mysql_error, c.get());
    MYSQL_RES* result = mysql_store_result(c.get());
    std::printf("%s\n", mysql_fetch_row(result)[2]);
    mysql_free_result(result);
}

void tls() {
    require(client::argument_count == 1, "whose certificate?");
    client::in_fibers(20, [](int i) {
        const connection c(client::arguments[0]);
        require(mysql_get_ssl_cipher(c.get()) != nullptr, "no TLS");
        require(c.ask("select " + std::to_string(i) + " + length(repeat('x', 1000000))") ==
                    std::to_string(1000000 + i),
                "wrong sum");
        require(c.ask("select repeat('tendril', 100000)").size() == 700000, "wrong size");
    });
    std::printf("20 sessions in TLS\n");
}

/// A port that accepts and then says nothing, and a server that is slower than one can wait.
void timeout() {
    auto silent = tendril::net::tcp_listener::listen("127.0.0.1:0");
    const unsigned port = silent.local().port();
    client::in_fibers(20, [port](int i) {
        MYSQL* c = mysql_init(nullptr);
        const unsigned seconds = 1;
        mysql_optionsv(c, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
        mysql_optionsv(c, MYSQL_OPT_READ_TIMEOUT, &seconds);
        if (i % 2 == 0) {
            require(mysql_real_connect(c, "127.0.0.1", "root", "", "", port, nullptr, 0) == nullptr,
                    "connected to nothing");
        } else {
            const std::string where = client::address;
            const auto colon = where.find(':');
            require(mysql_real_connect(c, where.substr(0, colon).c_str(), "root", "", "test",
                                       static_cast<unsigned>(std::atoi(where.c_str() + colon + 1)),
                                       nullptr, 0) != nullptr,
                    mysql_error, c);
            require(mysql_query(c, "select sleep(3600)") != 0, "it did not wait");
        }
        const unsigned error = mysql_errno(c);
        require(error == 2013 || error == 2026, mysql_error, c); // Lost connection
        mysql_close(c);
    });
    std::printf("20 timeouts\n");
}

/// clients_test.py kills the server when it reads "asked".
void killed() {
    constexpr int count = 10;
    const connection holder, observer;
    holder.ask("select get_lock('tendril', 0)");
    auto observing = tendril::spawn([&] {
        while (observer.ask(asking_for_lock) != std::to_string(count)) {
        }
        std::printf("asked\n");
    });
    client::in_fibers(count, [](int) {
        const connection c;
        require(mysql_query(c.get(), "select get_lock('tendril', 3600)") != 0,
                "a result from a killed server");
        std::printf("%u\n", mysql_errno(c.get()));
    });
    observing.get();
}

} // namespace

int main(int argc, char** argv) {
    mysql_library_init(0, nullptr, nullptr);
    return client::run(argc, argv,
                       {{"sleeps", sleeps},
                        {"locks", locks},
                        {"copy", copy},
                        {"cancel", cancel},
                        {"warnings", warnings},
                        {"tls", tls},
                        {"timeout", timeout},
                        {"killed", killed}});
}
