// SPDX-License-Identifier: BSL-1.0
//
// fopen and freopen, which wait only for the other end of a FIFO. libc opens all the same, for it
// alone knows what modes mean: on a thread of its own.
#include "shims/ops/operations.hpp"
#include "shims/ops/stream_call.hpp"

#include "io/retry.hpp"
#include "offload/offload.hpp"

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <sys/stat.h>

namespace tendril::detail::shim::ops {

using stdio::stream;

namespace {

/// fifo(7). Opened for both it does not wait.
bool may_wait(hub_core& hub, const char* path, const char* mode) noexcept {
    if (hub.has_nothing_else() || path == nullptr || std::strchr(mode, '+') != nullptr) {
        return false;
    }
    const errno_kept kept;
    struct stat status {};
    return ::stat(path, &status) == 0 && S_ISFIFO(status.st_mode);
}

/// Owned by whoever still wants it.
struct opening {
    std::string path;
    std::string mode;
    FILE* old = nullptr; ///< for freopen
    FILE* result = nullptr;
    int error = 0;

    ~opening() {
        if (result != nullptr && result != old) {
            libc.fclose(result);
        }
    }
    void run() noexcept {
        result = old != nullptr ? libc.freopen(path.c_str(), mode.c_str(), old)
                                : libc.fopen(path.c_str(), mode.c_str());
        error = errno;
    }
};

/// Null with errno set, also when the wait ended first.
FILE* open_elsewhere(hub_core& hub, const char* path, const char* mode, FILE* old,
                     io::options& o) noexcept {
    try {
        const int before = errno;
        const auto work = std::make_shared<opening>(opening{path, mode, old});
        wait_reason why = io::retry_reason(old != nullptr ? "freopen" : "fopen", -1, o, hub);
        if (old != nullptr) { // it is at the FILE: nothing ends that
            why.by_signals = interruption::none;
            why.cancellable = false;
        }
        o.waited = true;
        const wake end =
            offload_with(
                work, [](opening& it) { it.run(); }, why, never, offload_to::own_thread)
                .first;
        FILE* const file = end == wake::ready ? std::exchange(work->result, nullptr) : nullptr;
        errno = file != nullptr      ? before
                : end == wake::ready ? work->error
                                     : -io::hub_io::outcome(end, true);
        return file;
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
        return nullptr;
    }
}

/// Who still waits for an older fd of its number was left behind.
FILE* fresh(FILE* file) noexcept {
    if (file != nullptr) {
        const errno_kept kept;
        io::closing(fileno(file));
    }
    return file;
}

} // namespace

FILE* fopen(const char* path, const char* mode) noexcept {
    return serve(
        tendril_shim_index_fopen,
        [&](hub_core& hub, io::options& o) {
            o.as_program = true;
            return fresh(may_wait(hub, path, mode) ? open_elsewhere(hub, path, mode, nullptr, o)
                                                   : libc.fopen(path, mode));
        },
        [&] { return libc.fopen(path, mode); });
}

FILE* freopen(const char* path, const char* mode, FILE* file) noexcept {
    const auto original = [&] { return libc.freopen(path, mode, file); };
    return on_stream(
        tendril_shim_index_freopen, file, locking::yes, static_cast<FILE*>(nullptr),
        [&](stream& s) {
            stdio::flush(s); // as with fclose, its failure ends nothing
            s.hold().keep();
            if (file->_fileno >= 0) {
                io::closing(file->_fileno);
            }
            if (!may_wait(s.hub(), path, mode) || !s.hold().lend()) {
                return original();
            }
            FILE* const opened = open_elsewhere(s.hub(), path, mode, file, s.options());
            s.hold().take_back(s.options());
            return opened;
        },
        original);
}

} // namespace tendril::detail::shim::ops
