// SPDX-License-Identifier: BSL-1.0
#include "client.hpp"

#include <hiredis/hiredis.h>

#include <memory>

namespace {

using client::require;

struct freer {
    void operator()(redisContext* c) const { redisFree(c); }
    void operator()(redisReply* r) const { freeReplyObject(r); }
};
using connection = std::unique_ptr<redisContext, freer>;
using reply = std::unique_ptr<redisReply, freer>;

const char* message(redisContext* c) {
    return c->errstr;
}

connection connect() {
    const std::string where = client::address;
    const auto colon = where.find(':');
    connection c(
        redisConnect(where.substr(0, colon).c_str(), std::atoi(where.c_str() + colon + 1)));
    require(c != nullptr && c->err == 0, message, c.get());
    return c;
}

template <typename... Arguments>
reply command(const connection& c, const char* format, Arguments... arguments) {
    reply r(static_cast<redisReply*>(redisCommand(c.get(), format, arguments...)));
    require(r != nullptr, message, c.get());
    require(r->type != REDIS_REPLY_ERROR, r->str ? r->str : "error");
    return r;
}

void pipelines() {
    constexpr int per_fiber = 1000;
    client::in_fibers(20, [](int i) {
        const connection c = connect();
        for (int n = 0; n < per_fiber; ++n) {
            require(redisAppendCommand(c.get(), "INCRBY sum:%d %d", i, n) == REDIS_OK, message,
                    c.get());
        }
        long long sum = 0;
        for (int n = 0; n < per_fiber; ++n) {
            void* got = nullptr;
            require(redisGetReply(c.get(), &got) == REDIS_OK, message, c.get());
            const reply r(static_cast<redisReply*>(got));
            sum += n;
            require(r->integer == sum, "replies out of order");
        }
    });
    // Larger than any buffer on the way, in both directions.
    const connection c = connect();
    std::string value(16 << 20, '\0');
    unsigned seed = 7;
    client::fill(&value[0], value.size(), seed);
    command(c, "SET large %b", value.data(), value.size());
    const reply r = command(c, "GET large");
    require(std::string(r->str, r->len) == value, "another value than was set");
    std::printf("20 pipelines of %d, 1 value of %zu\n", per_fiber, value.size());
}

/// 100 fibers block in the server, which says when all do; each then gets one element.
void blpop() {
    constexpr int count = 100;
    client::in_progress popping;
    const connection observer = connect();
    auto pushing = tendril::spawn([&] {
        const std::string all = "blocked_clients:" + std::to_string(count) + "\r";
        while (std::strstr(command(observer, "INFO clients")->str, all.c_str()) == nullptr) {
        }
        for (int i = 0; i < count; ++i) {
            command(observer, "RPUSH queue %d", i);
        }
    });
    std::vector<int> got(count, 0);
    client::in_fibers(count, [&](int) {
        const connection c = connect();
        const reply r = popping([&] { return command(c, "BLPOP queue 0"); });
        require(r->elements == 2, "not a pair");
        ++got.at(static_cast<std::size_t>(std::atoi(r->element[1]->str)));
    });
    pushing.get();
    require(got == std::vector<int>(count, 1), "an element came twice, or not at all");
    std::printf("%d at once\n", popping.most());
}

void publish() {
    constexpr int subscribers = 50, messages = 100;
    const connection publisher = connect();
    tendril::latch subscribed(subscribers);
    auto publishing = tendril::spawn([&] {
        subscribed.wait();
        for (int i = 0; i < messages; ++i) {
            require(command(publisher, "PUBLISH news %d", i)->integer == subscribers,
                    "somebody is missing");
        }
    });
    client::in_fibers(subscribers, [&](int) {
        const connection c = connect();
        command(c, "SUBSCRIBE news");
        subscribed.count_down();
        for (int i = 0; i < messages; ++i) {
            void* got = nullptr;
            require(redisGetReply(c.get(), &got) == REDIS_OK, message, c.get());
            const reply r(static_cast<redisReply*>(got));
            require(r->elements == 3 && r->element[2]->str == std::to_string(i), "another message");
        }
    });
    publishing.get();
    std::printf("%d messages to %d subscribers\n", messages, subscribers);
}

void timeout() {
    client::in_fibers(20, [](int) {
        const connection c = connect();
        require(redisSetTimeout(c.get(), timeval{0, 50000}) == REDIS_OK, message, c.get());
        const reply r(static_cast<redisReply*>(redisCommand(c.get(), "BLPOP nobody-pushes 0")));
        require(r == nullptr && c->err == REDIS_ERR_IO && errno == EAGAIN, message, c.get());
    });
    std::printf("20 timeouts\n");
}

/// clients_test.py kills the server when it reads "asked".
void killed() {
    constexpr int count = 10;
    const connection observer = connect();
    auto observing = tendril::spawn([&] {
        const std::string all = "blocked_clients:" + std::to_string(count) + "\r";
        while (std::strstr(command(observer, "INFO clients")->str, all.c_str()) == nullptr) {
        }
        std::printf("asked\n");
    });
    client::in_fibers(count, [](int) {
        const connection c = connect();
        const reply r(static_cast<redisReply*>(redisCommand(c.get(), "BLPOP nobody-pushes 0")));
        require(r == nullptr, "a reply from a killed server");
        std::printf("%s\n", c->errstr);
    });
    observing.get();
}

} // namespace

int main(int argc, char** argv) {
    return client::run(argc, argv,
                       {{"pipelines", pipelines},
                        {"blpop", blpop},
                        {"publish", publish},
                        {"timeout", timeout},
                        {"killed", killed}});
}
