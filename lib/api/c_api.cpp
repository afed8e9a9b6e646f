// SPDX-License-Identifier: BSL-1.0
//
// tendril.h: here exceptions become errno.
#include <tendril.h>
#include <tendril/tendril.hpp>

#include "io/operations.hpp"
#include "net/socket.hpp"
#include "shims/ops/attach.hpp"

#include <cerrno>
#include <chrono>
#include <netdb.h>
#include <new>
#include <stdexcept>
#include <system_error>

struct tendril_fiber {
    tendril::fiber<void*> handle;
};

namespace {

namespace io = tendril::detail::io;
using tendril::detail::time_point;

/// The errno that stands for the exception being handled.
int current_error() noexcept {
    try {
        throw;
    } catch (const std::system_error& e) {
        if (e.code().category() != tendril::dns::error_category()) {
            return e.code().value();
        }
        switch (e.code().value()) {
        case EAI_AGAIN:
            return EAGAIN;
        case EAI_MEMORY:
            return ENOMEM;
        case EAI_FAIL:
            return EIO;
        default:
            return ENOENT;
        }
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    } catch (const tendril::cancelled&) {
        return ECANCELED;
    } catch (const tendril::timed_out&) {
        return ECANCELED;
    } catch (const std::invalid_argument&) {
        return EINVAL;
    } catch (...) {
        return EIO;
    }
}

/// What `call` returns, or `failed` with errno set.
template <typename Result, typename Call>
Result guarded(Result failed, Call&& call) noexcept {
    try {
        return call();
    } catch (...) {
        errno = current_error();
        return failed;
    }
}

/// Of an operation: a negative errno becomes -1.
template <typename Result>
Result returned(Result result) noexcept {
    if (result >= 0) {
        return result;
    }
    errno = static_cast<int>(-result);
    return -1;
}

time_point deadline_in(std::int64_t nanoseconds) noexcept {
    return tendril::detail::deadline_after(std::chrono::nanoseconds(nanoseconds));
}

/// Takes the result of a fiber that has ended; 0, or -1 if it has none.
int collect(tendril_fiber* fiber, void** result) noexcept {
    const int code = guarded(-1, [&] {
        void* const value = fiber->handle.get();
        if (result != nullptr) {
            *result = value;
        }
        return 0;
    });
    if (code != 0 && errno == ECANCELED) {
        errno = EOWNERDEAD;
    }
    delete fiber;
    return code;
}

int join_until(tendril_fiber* fiber, time_point deadline, void** result) noexcept {
    const int ended = guarded(-1, [&] { return fiber->handle.join_until(deadline) ? 1 : 0; });
    if (ended == 0) {
        errno = deadline == tendril::detail::never ? ECANCELED : ETIMEDOUT;
    }
    return ended == 1 ? collect(fiber, result) : -1;
}

} // namespace

extern "C" {

tendril_fiber* tendril_spawn(void* (*function)(void*), void* argument,
                             const tendril_spawn_options* options) {
    const void* const from = __builtin_return_address(0);
    return guarded(static_cast<tendril_fiber*>(nullptr), [&] {
        tendril::spawn_options how;
        if (options != nullptr && options->name != nullptr) {
            how.name = options->name;
        }
        if (options != nullptr && options->stack_size != 0) {
            how.stack_size = options->stack_size;
        }
        // noexcept: as with threads, what a C function lets through ends the program.
        return new tendril_fiber{tendril::detail::spawner::spawn_from(
            from, how, nullptr, [function, argument]() noexcept { return function(argument); })};
    });
}

int tendril_join(tendril_fiber* fiber, void** result) {
    return join_until(fiber, tendril::detail::never, result);
}

int tendril_join_for(tendril_fiber* fiber, int64_t nanoseconds, void** result) {
    return join_until(fiber, deadline_in(nanoseconds), result);
}

int tendril_cancel(tendril_fiber* fiber, const char* reason) {
    return guarded(-1, [&] {
        fiber->handle.cancel(reason != nullptr ? reason : "");
        return 0;
    });
}

void tendril_detach(tendril_fiber* fiber) {
    delete fiber;
}

uint64_t tendril_id(const tendril_fiber* fiber) {
    return fiber->handle.id();
}

uint64_t tendril_self(void) {
    return guarded(std::uint64_t{0}, [] { return tendril::this_fiber::id(); });
}

int tendril_yield(void) {
    return guarded(-1, [] {
        tendril::this_fiber::yield();
        return 0;
    });
}

int tendril_sleep_ns(int64_t nanoseconds) {
    io::options o;
    return returned(io::sleep(deadline_in(nanoseconds), o));
}

int tendril_dump_fibers(int fd) {
    return guarded(-1, [fd] {
        tendril::dump_fibers(fd);
        return 0;
    });
}

int tendril_drain(void) {
    return guarded(-1, [] {
        tendril::hub::current().drain();
        return 0;
    });
}

// ------------------------------------------------------------------------------------------- I/O

ssize_t tendril_read(int fd, void* buffer, size_t size) {
    io::options o;
    return returned(io::read(fd, buffer, size, o));
}

ssize_t tendril_write(int fd, const void* buffer, size_t size) {
    io::options o;
    return returned(io::write(fd, buffer, size, o));
}

ssize_t tendril_readv(int fd, const struct iovec* buffers, int count) {
    io::options o;
    return returned(io::readv(fd, buffers, count, o));
}

ssize_t tendril_writev(int fd, const struct iovec* buffers, int count) {
    io::options o;
    return returned(io::writev(fd, buffers, count, o));
}

ssize_t tendril_recv(int fd, void* buffer, size_t size, int flags) {
    io::options o;
    return returned(io::recv(fd, buffer, size, flags, o));
}

ssize_t tendril_send(int fd, const void* buffer, size_t size, int flags) {
    io::options o;
    return returned(io::send(fd, buffer, size, flags, o));
}

ssize_t tendril_recvfrom(int fd, void* buffer, size_t size, int flags, struct sockaddr* from,
                         socklen_t* from_size) {
    io::options o;
    return returned(io::recvfrom(fd, buffer, size, flags, from, from_size, o));
}

ssize_t tendril_sendto(int fd, const void* buffer, size_t size, int flags,
                       const struct sockaddr* to, socklen_t to_size) {
    io::options o;
    return returned(io::sendto(fd, buffer, size, flags, to, to_size, o));
}

ssize_t tendril_recvmsg(int fd, struct msghdr* message, int flags) {
    io::options o;
    return returned(io::recvmsg(fd, message, flags, o));
}

ssize_t tendril_sendmsg(int fd, const struct msghdr* message, int flags) {
    io::options o;
    return returned(io::sendmsg(fd, message, flags, o));
}

ssize_t tendril_sendfile(int out, int in, off_t* offset, size_t count) {
    io::options o;
    return returned(io::sendfile(out, in, offset, count, 0, o));
}

int tendril_connect(int fd, const struct sockaddr* to, socklen_t to_size) {
    io::options o;
    return returned(io::connect(fd, to, to_size, o));
}

int tendril_accept(int fd, struct sockaddr* peer, socklen_t* peer_size) {
    return tendril_accept4(fd, peer, peer_size, 0);
}

int tendril_accept4(int fd, struct sockaddr* peer, socklen_t* peer_size, int flags) {
    io::options o;
    return returned(io::accept4(fd, peer, peer_size, flags, o));
}

int tendril_shutdown(int fd, int how) {
    return returned(io::shutdown(fd, how));
}

int tendril_poll(struct pollfd* fds, nfds_t count, int timeout_ms) {
    io::options o;
    if (timeout_ms >= 0) {
        o.deadline = tendril::detail::deadline_after(std::chrono::milliseconds(timeout_ms));
    }
    return returned(io::poll(fds, count, o));
}

int tendril_close(int fd) {
    return returned(tendril::detail::net::close(fd));
}

// ------------------------------------------------------------------------------------------- TCP

int tendril_tcp_connect(const char* endpoint, int64_t nanoseconds) {
    return guarded(-1, [&] {
        const tendril::io::deadline limit =
            nanoseconds < 0 ? tendril::io::deadline() : deadline_in(nanoseconds);
        return tendril::net::tcp_stream::connect(endpoint, limit).release();
    });
}

int tendril_tcp_listen(const char* endpoint, int backlog) {
    return guarded(-1, [&] {
        tendril::net::listen_options how;
        how.backlog = backlog > 0 ? backlog : how.backlog;
        return tendril::net::tcp_listener::listen(endpoint, how).release();
    });
}

int tendril_tcp_accept(int fd) {
    tendril::detail::net::socket_address peer;
    return returned(tendril::detail::net::accept(fd, tendril::detail::io::fd_kind::tcp, peer,
                                                 tendril::detail::never));
}

int tendril_is_shimmed(const char* name) {
    return tendril::detail::shim::is_shimmed(name) ? 1 : 0;
}

int tendril_keep_per_fiber(const struct tendril_thread_state* state) {
    return guarded(-1, [&] {
        tendril::keep_per_fiber({state->take, state->give, state->drop, state->context});
        return 0;
    });
}

int tendril_keep_openssl_errors_per_fiber(void) {
    return guarded(-1, [] {
        if (!tendril::keep_openssl_errors_per_fiber()) {
            errno = ENOENT;
            return -1;
        }
        return 0;
    });
}

const char* tendril_version(void) {
    return tendril::version();
}

} // extern "C"
