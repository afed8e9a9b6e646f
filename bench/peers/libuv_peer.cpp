// SPDX-License-Identifier: BSL-1.0
// libuv beside us: the same work with callbacks. It has no fibers, so nothing to switch or spawn.

#include "bench/support/echo.hpp"
#include "bench/support/measure.hpp"
#include "bench/support/sleepers.hpp"

#include <uv.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

void check(int result, const char* what) {
    if (result < 0) {
        std::fprintf(stderr, "%s: %s\n", what, ::uv_strerror(result));
        std::exit(1);
    }
}

void sleepers(const char* path) {
    const auto sleeps = bench::read_sleeps(path);
    const bench::sleepers_result begin(sleeps);
    uv_loop_t* loop = ::uv_default_loop();
    std::vector<uv_timer_t> timers(sleeps.size());
    for (std::size_t i = 0; i < sleeps.size(); ++i) {
        const std::int64_t milliseconds = (sleeps[i] + 999'999) / 1'000'000; // its resolution
        ::uv_timer_init(loop, &timers[i]);
        ::uv_update_time(loop);
        check(::uv_timer_start(
                  &timers[i], [](uv_timer_t*) {}, static_cast<std::uint64_t>(milliseconds), 0),
              "uv_timer_start");
    }
    ::uv_run(loop, UV_RUN_DEFAULT);
    begin.report();
}

struct connection {
    uv_tcp_t socket;
    char buffer[bench::echo_buffer];
};

connection* of(uv_stream_t* stream) {
    return static_cast<connection*>(stream->data);
}

void end(uv_stream_t* stream) {
    ::uv_close(reinterpret_cast<uv_handle_t*>(stream),
               [](uv_handle_t* handle) { delete static_cast<connection*>(handle->data); });
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t*) {
    if (size == 0) { // EAGAIN
        return;
    }
    if (size < 0) {
        end(stream);
        return;
    }
    // uv_write() tries at once too, but costs a callback; what does not fit ends the ping-pong.
    uv_buf_t out = ::uv_buf_init(of(stream)->buffer, static_cast<unsigned>(size));
    if (::uv_try_write(stream, &out, 1) != static_cast<int>(size)) {
        end(stream);
    }
}

void on_connection(uv_stream_t* listener, int status) {
    check(status, "accept");
    auto* self = new connection;
    check(::uv_tcp_init(listener->loop, &self->socket), "uv_tcp_init");
    self->socket.data = self;
    auto* stream = reinterpret_cast<uv_stream_t*>(&self->socket);
    check(::uv_accept(listener, stream), "uv_accept");
    const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
        auto* owner = static_cast<connection*>(handle->data);
        *buffer = ::uv_buf_init(owner->buffer, sizeof owner->buffer);
    };
    check(::uv_read_start(stream, allocate, on_read), "uv_read_start");
}

void echo() {
    uv_tcp_t listener;
    check(::uv_tcp_init(::uv_default_loop(), &listener), "uv_tcp_init");
    check(::uv_tcp_open(&listener, bench::echo_listener(0)), "uv_tcp_open");
    check(::uv_listen(reinterpret_cast<uv_stream_t*>(&listener), SOMAXCONN, on_connection),
          "uv_listen");
    ::uv_run(::uv_default_loop(), UV_RUN_DEFAULT);
}

} // namespace

int main(int argc, char** argv) {
    const std::string bench = argc == 3 ? argv[1] : "";
    if (bench == "sleepers") {
        sleepers(argv[2]);
    } else if (bench == "echo") {
        echo();
    } else {
        bench::usage(argv[0], "sleepers|echo CASE");
    }
}
