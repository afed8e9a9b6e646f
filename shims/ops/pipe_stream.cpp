// SPDX-License-Identifier: BSL-1.0
//
// popen and pclose. libc keeps the child's pid to itself, so that nobody else can wait for it:
// both must be ours.
#include "shims/ops/operations.hpp"
#include "shims/ops/stream_call.hpp"

#include "process/wait.hpp"

#include <cstdio>
#include <fcntl.h>
#include <mutex>
#include <new>
#include <paths.h>
#include <unistd.h>

namespace tendril::detail::shim::ops {

namespace {

struct pipe_stream {
    FILE* file;
    pid_t child;
    pipe_stream* next;
};

constinit std::mutex mutex;
constinit pipe_stream* streams = nullptr;

[[gnu::constructor]] void hold_over_forks() {
    pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
}

/// The child of a stream that popen made, which then is no longer known; 0: not one of ours.
pid_t taken(const FILE* file) noexcept {
    const std::lock_guard lock(mutex);
    for (pipe_stream** at = &streams; *at != nullptr; at = &(*at)->next) {
        if ((*at)->file == file) {
            pipe_stream* const found = *at;
            const pid_t child = found->child;
            *at = found->next;
            delete found;
            return child;
        }
    }
    return 0;
}

struct pipe_mode {
    bool reads = false;
    bool writes = false;
    bool close_on_exec = false;
    bool valid = true;

    explicit pipe_mode(const char* text) noexcept {
        for (; *text != '\0'; ++text) {
            reads |= *text == 'r';
            writes |= *text == 'w';
            close_on_exec |= *text == 'e';
            valid &= *text == 'r' || *text == 'w' || *text == 'e';
        }
        valid &= reads != writes;
    }
};

/// Under the mutex. 0 or an errno.
int spawn_shell(pid_t& child, const char* command, int end, int target) noexcept {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int error = 0;
    // POSIX: the child does not have the streams of earlier calls.
    for (const pipe_stream* s = streams; s != nullptr && error == 0; s = s->next) {
        error = posix_spawn_file_actions_addclose(&actions, fileno(s->file));
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, end, target);
    }
    if (error == 0) {
        const char* const arguments[] = {"sh", "-c", command, nullptr};
        io::descriptions_shared();
        error = sys::real.posix_spawn(&child, _PATH_BSHELL, &actions, nullptr,
                                      const_cast<char* const*>(arguments), environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/// The stream, or null with errno set.
FILE* open_pipe(const char* command, const pipe_mode& mode) noexcept {
    int ends[2];
    if (sys::real.pipe2(ends, O_CLOEXEC) != 0) {
        return nullptr;
    }
    io::closing(ends[0]); // what is known of these numbers is old
    io::closing(ends[1]);
    const int ours = mode.reads ? ends[0] : ends[1];
    const int theirs = mode.reads ? ends[1] : ends[0];
    auto* const stream = new (std::nothrow) pipe_stream{};
    FILE* const file = stream != nullptr ? fdopen(ours, mode.reads ? "r" : "w") : nullptr;
    int error = stream == nullptr ? ENOMEM : file == nullptr ? errno : 0;
    if (error == 0) {
        const std::lock_guard lock(mutex);
        error = spawn_shell(stream->child, command, theirs, mode.reads ? 1 : 0);
        if (error == 0) {
            stream->file = file;
            stream->next = streams;
            streams = stream;
        }
    }
    sys::real.close(theirs);
    if (error != 0) {
        file != nullptr ? static_cast<void>(libc.fclose(file))
                        : static_cast<void>(sys::real.close(ours));
        delete stream;
        errno = error;
        return nullptr;
    }
    if (!mode.close_on_exec) {
        sys::real.fcntl(ours, F_SETFD, 0);
    }
    return file;
}

/// Whoever is inside one of its functions gets EBADF from its fd, and has left before it closes;
/// whoever waits for it gets that at once.
int close_file(hub_core& hub, FILE* file, io::options& o) noexcept {
    stdio::stream s(hub, file, true, o);
    if (!s.try_acquire()) {
        io::closing(fileno(file));
        if (const int error = s.hold().acquire_to_close(o); error != 0) {
            return error;
        }
    }
    const bool written = flushed(s);
    const int error = errno;
    if (!stdio::is_of_bytes(file)) {
        by_libc(s, [&] { return libc.fflush(file); }); // its functions may wait
    }
    io::closing(fileno(file));
    s.hold().close();
    const fiber_record* const operation = std::exchange(inside, nullptr);
    const int result = negative(libc.fclose(file));
    inside = operation;
    return written ? result : -error;
}

/// The child's status, or -errno.
int finish(hub_core& hub, FILE* file, pid_t child, io::options& o) noexcept {
    const int closed = close_file(hub, file, o);
    int status = -1;
    o.as_program = false; // nothing ends it: who would take the child otherwise?
    o.cancellable = false;
    const int result = process::wait4(child, &status, 0, nullptr, o);
    return result < 0 ? result : closed < 0 ? closed : status;
}

/// The same on a thread without a hub.
int finish_blocking(FILE* file, pid_t child) noexcept {
    const int closed = libc.fclose(file);
    int status = -1;
    pid_t result = 0;
    do {
        result = libc.waitpid(child, &status, 0);
    } while (result < 0 && errno == EINTR);
    return result < 0 || closed != 0 ? -1 : status;
}

} // namespace

FILE* popen(const char* command, const char* mode) noexcept {
    return serve(
        tendril_shim_index_popen,
        [&](hub_core&, io::options&) -> FILE* {
            const pipe_mode parsed(mode);
            if (!parsed.valid) {
                errno = EINVAL;
                return nullptr;
            }
            return open_pipe(command, parsed);
        },
        [&] { return libc.popen(command, mode); });
}

int pclose(FILE* file) noexcept {
    const pid_t child = taken(file);
    return call(
        tendril_shim_index_pclose,
        [&](hub_core& hub, io::options& o) {
            return child != 0 ? finish(hub, file, child, o) : negative(libc.pclose(file));
        },
        [&] { return child != 0 ? finish_blocking(file, child) : libc.pclose(file); });
}

int fclose(FILE* file) noexcept {
    const pid_t child = taken(file);
    return call(
        tendril_shim_index_fclose,
        [&](hub_core& hub, io::options& o) {
            return child != 0 ? finish(hub, file, child, o) : close_file(hub, file, o);
        },
        [&] { return child != 0 ? finish_blocking(file, child) : libc.fclose(file); });
}

} // namespace tendril::detail::shim::ops
