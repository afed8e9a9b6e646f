// SPDX-License-Identifier: BSL-1.0
#include "loop.hpp"

#include <uv.h>

namespace {

struct server {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_work_t work;
    uv_getaddrinfo_t lookup;
    loop::report result;
    int left = 0;
    bool found = false;
    bool worked = false;
};

server& of(void* data) {
    return *static_cast<server*>(data);
}

void allocate(uv_handle_t*, size_t size, uv_buf_t* buffer) {
    *buffer = uv_buf_init(static_cast<char*>(std::malloc(size)), static_cast<unsigned>(size));
}

void ended(uv_handle_t* client) {
    server& s = of(client->data);
    delete reinterpret_cast<uv_tcp_t*>(client);
    if (--s.left == 0) {
        uv_close(reinterpret_cast<uv_handle_t*>(&s.listener), nullptr);
        uv_timer_stop(&s.timer);
        uv_close(reinterpret_cast<uv_handle_t*>(&s.timer), nullptr);
    }
}

void echo(uv_stream_t* client, ssize_t size, const uv_buf_t* buffer) {
    if (size < 0) {
        std::free(buffer->base);
        uv_close(reinterpret_cast<uv_handle_t*>(client), ended);
        return;
    }
    of(client->data).result.bytes += size;
    auto* const request = new uv_write_t;
    request->data = buffer->base;
    uv_buf_t out = uv_buf_init(buffer->base, static_cast<unsigned>(size));
    uv_write(request, client, &out, 1, [](uv_write_t* done, int status) {
        loop::require(status == 0, "uv_write");
        std::free(done->data);
        delete done;
    });
}

void connected(uv_stream_t* listener, int status) {
    loop::require(status == 0, "connection");
    auto* const client = new uv_tcp_t;
    uv_tcp_init(listener->loop, client);
    client->data = listener->data;
    loop::require(uv_accept(listener, reinterpret_cast<uv_stream_t*>(client)) == 0, "uv_accept");
    ++of(listener->data).result.connections;
    uv_read_start(reinterpret_cast<uv_stream_t*>(client), allocate, echo);
}

loop::report serve(int fd, int clients) {
    server s{};
    s.left = clients;
    uv_loop_init(&s.loop);
    uv_tcp_init(&s.loop, &s.listener);
    uv_tcp_open(&s.listener, fd);
    s.listener.data = s.timer.data = s.work.data = s.lookup.data = &s;
    loop::require(uv_listen(reinterpret_cast<uv_stream_t*>(&s.listener), 64, connected) == 0,
                  "uv_listen");
    uv_timer_init(&s.loop, &s.timer);
    uv_timer_start(
        &s.timer, [](uv_timer_t* t) { of(t->data).result.timer = true; }, 1, 1);
    uv_queue_work(
        &s.loop, &s.work, [](uv_work_t* w) { of(w->data).worked = true; },
        [](uv_work_t* w, int status) { of(w->data).found = status == 0 && of(w->data).worked; });
    uv_getaddrinfo(
        &s.loop, &s.lookup,
        [](uv_getaddrinfo_t* l, int status, addrinfo* list) {
            of(l->data).result.worker = status == 0 && of(l->data).found;
            uv_freeaddrinfo(list);
        },
        "127.0.0.1", "80", nullptr);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    s.result.worker = s.found;
    loop::require(uv_loop_close(&s.loop) == 0, "uv_loop_close");
    return s.result;
}

} // namespace

int main() {
    return loop::run(2, serve);
}
