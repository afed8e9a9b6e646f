// SPDX-License-Identifier: BSL-1.0
#include "client.hpp"

#include <mosquitto.h>

namespace {

using client::require;

constexpr int subscribers = 50, messages = 20;

void check(int result) {
    require(result == MOSQ_ERR_SUCCESS, mosquitto_strerror(result));
}

void connect(mosquitto* m) {
    const std::string where = client::address;
    const auto colon = where.find(':');
    check(mosquitto_connect(m, where.substr(0, colon).c_str(), std::atoi(where.c_str() + colon + 1),
                            60));
}

struct subscriber {
    tendril::latch& subscribed;
    int received = 0;
};

/// Each fiber sits in the library's own loop until it has seen all messages, at least, and at most,
/// once.
void subscribe(tendril::latch& subscribed) {
    subscriber state{subscribed};
    mosquitto* m = mosquitto_new(nullptr, true, &state);
    mosquitto_connect_callback_set(m, [](mosquitto* self, void*, int) {
        check(mosquitto_subscribe(self, nullptr, "news", 2));
    });
    mosquitto_subscribe_callback_set(m, [](mosquitto*, void* data, int, int, const int*) {
        static_cast<subscriber*>(data)->subscribed.count_down();
    });
    mosquitto_message_callback_set(
        m, [](mosquitto* self, void* data, const mosquitto_message* message) {
            auto& to = *static_cast<subscriber*>(data);
            require(std::string(static_cast<char*>(message->payload),
                                static_cast<std::size_t>(message->payloadlen)) ==
                        std::to_string(to.received),
                    "another message");
            if (++to.received == messages) {
                mosquitto_disconnect(self);
            }
        });
    connect(m);
    check(mosquitto_loop_forever(m, -1, 1));
    require(state.received == messages, "too few messages");
    mosquitto_destroy(m);
}

void publish() {
    tendril::latch subscribed(subscribers);
    auto publishing = tendril::spawn([&] {
        subscribed.wait();
        int acknowledged = 0;
        mosquitto* m = mosquitto_new(nullptr, true, &acknowledged);
        mosquitto_publish_callback_set(m, [](mosquitto* self, void* data, int) {
            if (++*static_cast<int*>(data) == messages) {
                mosquitto_disconnect(self);
            }
        });
        mosquitto_connect_callback_set(m, [](mosquitto* self, void*, int) {
            for (int i = 0; i < messages; ++i) {
                const std::string text = std::to_string(i);
                check(mosquitto_publish(self, nullptr, "news", static_cast<int>(text.size()),
                                        text.data(), 2, false));
            }
        });
        connect(m);
        check(mosquitto_loop_forever(m, -1, 1));
        mosquitto_destroy(m);
        return acknowledged;
    });
    client::in_fibers(subscribers, [&](int) { subscribe(subscribed); });
    std::printf("%d messages to %d subscribers, exactly once\n", publishing.get(), subscribers);
}

} // namespace

int main(int argc, char** argv) {
    mosquitto_lib_init();
    return client::run(argc, argv, {{"publish", publish}});
}
