// SPDX-License-Identifier: BSL-1.0
//
// Flushing, positions, locks: what is still to be written is written in the hub, and the rest is
// libc's.
#include "shims/ops/operations.hpp"
#include "shims/ops/stream_call.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <new>
#include <stdio_ext.h>
#include <vector>

extern "C" {
[[gnu::visibility("default")]] void _IO_list_lock();
[[gnu::visibility("default")]] void _IO_list_unlock();
[[gnu::visibility("default")]] extern FILE* _IO_list_all;
}

namespace tendril::detail::shim::ops {

using stdio::stream;

namespace {

template <typename Result, typename Original>
Result when_flushed(tendril_shim_index index, FILE* file, locking locks, Result failed,
                    Original original) noexcept {
    return serve(
        index,
        [&](hub_core& hub, io::options& o) -> Result {
            stream s(hub, file, locks == locking::yes, o);
            if (!s.acquire() || !flushed(s)) {
                return failed;
            }
            return stdio::is_of_bytes(file) ? original() : by_libc(s, original);
        },
        [&]() -> Result { return original(); });
}

/// What libc does under its lock, and at once.
template <typename Result, typename Original>
Result held(tendril_shim_index index, FILE* file, Result closed, Original original) noexcept {
    return on_stream_surely(
        index, file, closed, [&](stream&) { return original(); }, original);
}

/// A stream with something to write that is not among `done`. It has its own lock then, so that no
/// other thread closes it meanwhile; null: no more.
FILE* next_to_flush(const std::vector<FILE*>& done) noexcept {
    _IO_list_lock();
    FILE* file = _IO_list_all;
    while (file != nullptr &&
           (::__fpending(file) == 0 || std::find(done.begin(), done.end(), file) != done.end() ||
            sys::real.ftrylockfile(file) != 0)) {
        file = file->_chain;
    }
    _IO_list_unlock();
    return file;
}

/// Those that another thread holds just now are its business.
int flush_all(hub_core& hub, io::options& o) noexcept {
    int result = 0;
    try {
        std::vector<FILE*> done;
        done.reserve(16);
        while (FILE* const file = next_to_flush(done)) {
            done.push_back(file);
            stream s(hub, file, true, o);
            if (!s.acquire()) {
                result = EOF;
                if (errno == EBADF) {
                    continue; // closed, with its lock
                }
            } else if (!flushed(s) ||
                       (!stdio::is_of_bytes(file) &&
                        by_libc(s, [&] { return libc.fflush_unlocked(file); }) != 0)) {
                result = EOF;
            }
            sys::real.funlockfile(file);
        }
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
        result = EOF;
    }
    return result;
}

} // namespace

int fflush(FILE* file) noexcept {
    const auto original = [&] { return libc.fflush(file); };
    if (file == nullptr) {
        return serve(
            tendril_shim_index_fflush,
            [](hub_core& hub, io::options& o) { return flush_all(hub, o); }, original);
    }
    return when_flushed(tendril_shim_index_fflush, file, locking::yes, EOF, original);
}

int fflush_unlocked(FILE* file) noexcept {
    if (file == nullptr) {
        return fflush(nullptr);
    }
    return when_flushed(tendril_shim_index_fflush_unlocked, file, locking::no, EOF,
                        [&] { return libc.fflush_unlocked(file); });
}

int fseek(FILE* file, long offset, int whence) noexcept {
    return when_flushed(tendril_shim_index_fseek, file, locking::yes, -1,
                        [&] { return libc.fseek(file, offset, whence); });
}

void rewind(FILE* file) noexcept {
    when_flushed(tendril_shim_index_rewind, file, locking::yes, -1, [&] {
        libc.rewind(file);
        return 0;
    });
}

int fsetpos(FILE* file, const fpos_t* position) noexcept {
    return when_flushed(tendril_shim_index_fsetpos, file, locking::yes, -1,
                        [&] { return libc.fsetpos(file, position); });
}

int setvbuf(FILE* file, char* buffer, int mode, size_t size) noexcept {
    const auto original = [&] { return libc.setvbuf(file, buffer, mode, size); };
    // Otherwise only flags change.
    return buffer != nullptr || mode == _IONBF
               ? when_flushed(tendril_shim_index_setvbuf, file, locking::yes, EOF, original)
               : held(tendril_shim_index_setvbuf, file, EOF, original);
}

long ftell(FILE* file) noexcept {
    return held(tendril_shim_index_ftell, file, -1L, [&] { return libc.ftell(file); });
}

int fgetpos(FILE* file, fpos_t* position) noexcept {
    return held(tendril_shim_index_fgetpos, file, -1, [&] { return libc.fgetpos(file, position); });
}

int feof(FILE* file) noexcept {
    return held(tendril_shim_index_feof, file, 1, [&] { return libc.feof(file); });
}

int ferror(FILE* file) noexcept {
    return held(tendril_shim_index_ferror, file, 1, [&] { return libc.ferror(file); });
}

void clearerr(FILE* file) noexcept {
    held(tendril_shim_index_clearerr, file, 0, [&] {
        libc.clearerr(file);
        return 0;
    });
}

void flockfile(FILE* file) noexcept {
    serve(
        tendril_shim_index_flockfile,
        [&](hub_core& hub, io::options& o) {
            if (stdio::stream_hold* const mine = stdio::stream_hold::mine(hub, file)) {
                mine->nest();
                return 0;
            }
            auto* const hold = stdio::stream_hold::for_program(hub, file);
            if (hold == nullptr) {
                libc.flockfile(file); // against other threads, at least
                return 0;
            }
            if (hold->acquire(o, false) != 0) {
                delete hold; // closed
                return 0;
            }
            hold->keep();
            return 0;
        },
        [&] {
            libc.flockfile(file);
            return 0;
        });
}

int ftrylockfile(FILE* file) noexcept {
    return serve(
        tendril_shim_index_ftrylockfile,
        [&](hub_core& hub, io::options&) {
            if (stdio::stream_hold* const mine = stdio::stream_hold::mine(hub, file)) {
                mine->nest();
                return 0;
            }
            auto* const hold = stdio::stream_hold::for_program(hub, file);
            if (hold == nullptr || !hold->try_acquire()) {
                delete hold;
                return EBUSY;
            }
            hold->keep();
            return 0;
        },
        [&] { return libc.ftrylockfile(file); });
}

void funlockfile(FILE* file) noexcept {
    serve(
        tendril_shim_index_funlockfile,
        [&](hub_core& hub, io::options&) {
            stdio::stream_hold* const mine = stdio::stream_hold::mine(hub, file);
            if (mine == nullptr) {
                libc.funlockfile(file); // of before the thread had a hub
            } else if (mine->leave()) {
                delete mine;
            }
            return 0;
        },
        [&] {
            libc.funlockfile(file);
            return 0;
        });
}

} // namespace tendril::detail::shim::ops
