// SPDX-License-Identifier: BSL-1.0
// sendfile(2) has no MSG_DONTWAIT. Where O_NONBLOCK is set on the receiving end the kernel copies;
// elsewhere we do, because the flag is not ours to set.
#include "io/attempt.hpp"
#include "io/file.hpp"
#include "io/operation.hpp"
#include "sys/calls.hpp"

#include <algorithm>
#include <csignal>
#include <memory>
#include <new>
#include <sys/stat.h>

namespace tendril::detail::io {

namespace {

constexpr std::size_t chunk_size = std::size_t{1} << 16;

/// Keeps a SIGPIPE of this thread from being delivered, as MSG_NOSIGNAL does where it exists.
class sigpipe_held {
public:
    explicit sigpipe_held(bool wanted) noexcept
        : wanted_(wanted) {
        if (!wanted_) {
            return;
        }
        sigemptyset(&only_);
        sigaddset(&only_, SIGPIPE);
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &only_, &before_);
    }
    ~sigpipe_held() {
        if (!wanted_) {
            return;
        }
        if (raised_ && !was_pending_) {
            const timespec at_once{};
            sigtimedwait(&only_, nullptr, &at_once);
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    sigpipe_held(const sigpipe_held&) = delete;
    sigpipe_held& operator=(const sigpipe_held&) = delete;

    void raised() noexcept { raised_ = true; }

private:
    bool wanted_;
    bool was_pending_ = false;
    bool raised_ = false;
    sigset_t only_;
    sigset_t before_;
};

ssize_t attempt(int out, int in, off_t* offset, std::size_t count, int flags) noexcept {
    sigpipe_held quiet((flags & MSG_NOSIGNAL) != 0);
    const ssize_t n = result_of(sys::real.sendfile(out, in, offset, count));
    if (n == -EPIPE) {
        quiet.raised();
    }
    return n;
}

/// `out` has O_NONBLOCK.
ssize_t send_directly(int out, int in, off_t* offset, std::size_t count, int flags,
                      options& o) noexcept {
    operation op(out, outwards, wait_kind::write, "sendfile", o);
    if (op.error() != 0) {
        return op.error();
    }
    std::size_t sent = 0;
    for (;;) {
        const ssize_t n =
            attempt(out, in, offset, count - sent, sent == 0 ? flags : flags | MSG_NOSIGNAL);
        int end = n < 0 ? static_cast<int>(n) : 0;
        sent += n > 0 ? static_cast<std::size_t>(n) : 0;
        if (n == -EAGAIN) {
            end = op.wait();
        } else if (n <= 0 || sent == count) { // 0: the file ends here
            op.done();
            return sent > 0 ? static_cast<ssize_t>(sent) : end;
        }
        if (n > 0) {
            op.did_part();
        }
        if (end != 0) {
            const int error = end == hub_io::always_ready ? -EAGAIN : end;
            return sent > 0 ? static_cast<ssize_t>(sent) : error;
        }
    }
}

/// Copies from position `at` of `in`, and moves that.
ssize_t send_copied(int out, int in, off_t& at, std::size_t count, int flags, options& o) noexcept {
    const std::size_t room = std::min(count, chunk_size);
    const std::unique_ptr<std::byte[]> buffer(new (std::nothrow) std::byte[room]);
    if (buffer == nullptr) {
        return -ENOMEM;
    }
    options inner = o;
    inner.what = o.what != nullptr ? o.what : "sendfile";
    std::size_t sent = 0;
    ssize_t error = 0;
    for (bool more = true; more && sent < count;) {
        const iovec piece{buffer.get(), std::min(room, count - sent)};
        const ssize_t got = preadv2(in, &piece, 1, at, 0, inner);
        ssize_t n = got == -EISDIR ? -EINVAL : got; // as sendfile has it
        if (got > 0) {
            const auto size = static_cast<std::size_t>(got);
            n = is_socket(kind_of(out)) ? send(out, buffer.get(), size, flags, inner)
                                        : write(out, buffer.get(), size, inner);
            flags |= MSG_NOSIGNAL; // what follows the first part is the next call's error
        }
        error = n;
        more = n > 0 && n == got;
        at += std::max<ssize_t>(n, 0);
        sent += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        inner.part_done = true;
        inner.begun = 0;
    }
    o.waited = inner.waited;
    return sent > 0 ? static_cast<ssize_t>(sent) : error;
}

/// `out` is a file, or nothing that could be written to.
ssize_t to_file(int out, int in, off_t* offset, std::size_t count, int flags, options& o) noexcept {
    const auto call = [=] { return attempt(out, in, offset, count, flags); };
    int error = 0;
    hub_io* const io = count > 0 && is_on_disk(out) ? this_hub(error) : nullptr;
    return io != nullptr ? on_disk(io->hub(), {wait_kind::write, "sendfile", out}, o, call)
           : error != 0  ? -error
                         : call();
}

/// Whether a call that writes to this fd could wait for room.
bool may_wait(const struct stat& out) noexcept {
    return S_ISSOCK(out.st_mode) || S_ISFIFO(out.st_mode) || S_ISCHR(out.st_mode);
}

} // namespace

ssize_t sendfile(int out, int in, off_t* offset, std::size_t count, int flags,
                 options& o) noexcept {
    if (static_cast<ssize_t>(count) < 0) {
        return attempt(out, in, offset, count, flags); // EINVAL
    }
    count = std::min(count, most_at_once);
    struct stat status {};
    const int out_flags = sys::real.fcntl(out, F_GETFL);
    const off_t position = ::lseek(in, 0, SEEK_CUR);
    // Bad fds, and what has no position, are the kernel's business.
    if (count == 0 || out_flags < 0 || position < 0 || sys::real.fstat(out, &status) != 0 ||
        !may_wait(status)) {
        return to_file(out, in, offset, count, flags, o);
    }
    if ((out_flags & O_NONBLOCK) != 0) {
        return send_directly(out, in, offset, count, flags, o);
    }
    // Sends nothing, but checks the arguments; of a pipe it would wait for room first.
    if (!S_ISFIFO(status.st_mode)) {
        off_t unchanged = offset != nullptr ? *offset : position;
        if (const ssize_t r = attempt(out, in, &unchanged, 0, flags); r < 0) {
            return r;
        }
    }
    off_t at = offset != nullptr ? *offset : position;
    const ssize_t sent = send_copied(out, in, at, count, flags, o);
    if (offset != nullptr) {
        *offset = at;
    } else {
        ::lseek(in, at, SEEK_SET);
    }
    return sent;
}

} // namespace tendril::detail::io
