// SPDX-License-Identifier: BSL-1.0
#include "loop.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

namespace {

const char* method; // epoll, poll or select

struct server {
    event_base* base = nullptr;
    loop::report result;
    int left = 0;
};

void echo(bufferevent* client, void* context) {
    evbuffer* const input = bufferevent_get_input(client);
    static_cast<server*>(context)->result.bytes += static_cast<long>(evbuffer_get_length(input));
    bufferevent_write_buffer(client, input);
}

void ended(bufferevent* client, short what, void* context) {
    loop::require((what & BEV_EVENT_EOF) != 0, "connection");
    bufferevent_free(client);
    auto& s = *static_cast<server*>(context);
    if (--s.left == 0) {
        event_base_loopbreak(s.base);
    }
}

void connected(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* context) {
    auto& s = *static_cast<server*>(context);
    ++s.result.connections;
    bufferevent* const client = bufferevent_socket_new(s.base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(client, echo, nullptr, ended, &s);
    bufferevent_enable(client, EV_READ | EV_WRITE);
}

loop::report serve(int fd, int clients) {
    server s;
    s.left = clients;
    event_config* const config = event_config_new();
    for (const char* other : {"epoll", "poll", "select"}) {
        if (std::strcmp(other, method) != 0) {
            event_config_avoid_method(config, other);
        }
    }
    s.base = event_base_new_with_config(config);
    event_config_free(config);
    loop::require(s.base != nullptr && std::strcmp(event_base_get_method(s.base), method) == 0,
                  method);
    evutil_make_socket_nonblocking(fd);
    evconnlistener* const listener =
        evconnlistener_new(s.base, connected, &s, LEV_OPT_CLOSE_ON_FREE, -1, fd);
    event* const timer = event_new(
        s.base, -1, EV_PERSIST,
        [](evutil_socket_t, short, void* context) {
            static_cast<server*>(context)->result.timer = true;
        },
        &s);
    const timeval millisecond{0, 1000};
    event_add(timer, &millisecond);
    loop::require(event_base_dispatch(s.base) == 0, "event_base_dispatch");
    event_free(timer);
    evconnlistener_free(listener);
    event_base_free(s.base);
    return s.result;
}

} // namespace

int main(int argc, char** argv) {
    method = argc > 1 ? argv[1] : "epoll";
    return loop::run(2, serve);
}
