// SPDX-License-Identifier: BSL-1.0
#include "io/uring_accept.hpp"

#include "sys/calls.hpp"
#include "sys/own_fds.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <linux/io_uring.h>
#include <new>
#include <sys/mman.h>
#include <sys/syscall.h>

namespace tendril::detail::io {

namespace {

constexpr unsigned entries = 2;
constexpr std::uint16_t accept_dontwait = 2; // IORING_ACCEPT_DONTWAIT, not in Debian 12's headers
constexpr std::uint64_t accept_tag = 1;
constexpr std::uint64_t cancel_tag = 2;

void* map(int fd, std::size_t size, off_t what) noexcept {
    void* p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
    return p == MAP_FAILED ? nullptr : p;
}

} // namespace

std::unique_ptr<uring_accept> uring_accept::make(means first) noexcept {
    std::unique_ptr<uring_accept> made(new (std::nothrow) uring_accept);
    if (made != nullptr) {
        made->means_ = first;
        if (!made->open()) {
            made.reset();
        }
    }
    return made;
}

bool uring_accept::open() noexcept {
    io_uring_params parameters{};
    // ENOSYS, EPERM, EACCES, ENOMEM (locked memory before 5.12)…: all mean 'not here'.
    fd_ = static_cast<int>(::syscall(SYS_io_uring_setup, entries, &parameters));
    if (fd_ < 0) {
        return false;
    }
    fd_ = sys::adopt(fd_);
    if (fd_ < 0 || (parameters.features & IORING_FEAT_SINGLE_MMAP) == 0) {
        return false;
    }
    ring_size_ = std::max<std::size_t>(
        parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned),
        parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe));
    ring_ = map(fd_, ring_size_, IORING_OFF_SQ_RING);
    requests_size_ = parameters.sq_entries * sizeof(io_uring_sqe);
    requests_ = static_cast<io_uring_sqe*>(map(fd_, requests_size_, IORING_OFF_SQES));
    if (ring_ == nullptr || requests_ == nullptr) {
        return false;
    }
    sq_tail_ = in_ring<unsigned>(parameters.sq_off.tail);
    sq_mask_ = *in_ring<unsigned>(parameters.sq_off.ring_mask);
    sq_array_ = in_ring<unsigned>(parameters.sq_off.array);
    cq_head_ = in_ring<unsigned>(parameters.cq_off.head);
    cq_tail_ = in_ring<unsigned>(parameters.cq_off.tail);
    cq_mask_ = *in_ring<unsigned>(parameters.cq_off.ring_mask);
    results_ = in_ring<io_uring_cqe>(parameters.cq_off.cqes);
    return true;
}

uring_accept::~uring_accept() {
    if (ring_ != nullptr) {
        ::munmap(ring_, ring_size_);
    }
    if (requests_ != nullptr) {
        ::munmap(requests_, requests_size_);
    }
    if (fd_ >= 0) {
        sys::close_own(fd_);
    }
}

io_uring_sqe& uring_accept::next_request() noexcept {
    const unsigned tail = *sq_tail_;
    const unsigned slot = tail & sq_mask_;
    sq_array_[slot] = slot;
    requests_[slot] = {};
    std::atomic_ref(*sq_tail_).store(tail + 1, std::memory_order_release);
    return requests_[slot];
}

/// Returns what became of the accept. The request is filled in after it was queued, which is fine:
/// the kernel looks at the queue only in io_uring_enter.
int uring_accept::submit_and_wait(unsigned count) noexcept {
    int outcome = -EOPNOTSUPP;
    unsigned submitted = 0;
    for (unsigned finished = 0; finished < count;) {
        const long n = ::syscall(SYS_io_uring_enter, fd_, count - submitted, count - finished,
                                 IORING_ENTER_GETEVENTS, nullptr, 0);
        if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) {
            return -EOPNOTSUPP;
        }
        submitted += n > 0 ? static_cast<unsigned>(n) : 0;
        unsigned head = *cq_head_;
        const unsigned tail = std::atomic_ref(*cq_tail_).load(std::memory_order_acquire);
        for (; head != tail; ++head, ++finished) {
            const io_uring_cqe& result = results_[head & cq_mask_];
            if (result.user_data == accept_tag) {
                outcome = result.res;
            }
        }
        std::atomic_ref(*cq_head_).store(head, std::memory_order_release);
    }
    return outcome;
}

int uring_accept::accept(int fd, sockaddr* peer, socklen_t* peer_size, int flags) noexcept {
    io_uring_sqe& request = next_request();
    request.opcode = IORING_OP_ACCEPT;
    request.fd = fd;
    request.addr = reinterpret_cast<std::uint64_t>(peer);
    request.addr2 = reinterpret_cast<std::uint64_t>(peer_size);
    request.accept_flags = static_cast<unsigned>(flags);
    request.user_data = accept_tag;
    if (means_ == means::dontwait) {
        request.ioprio = accept_dontwait;
        const int r = submit_and_wait(1);
        if (r != -EINVAL) {
            return r;
        }
        // An older kernel; or the fd's own EINVAL, which the other way tells apart.
        means_ = means::cancel;
        return accept(fd, peer, peer_size, flags);
    }
    io_uring_sqe& cancel = next_request();
    cancel.opcode = IORING_OP_ASYNC_CANCEL;
    cancel.addr = accept_tag;
    cancel.user_data = cancel_tag;
    const int r = submit_and_wait(2);
    return r == -ECANCELED || r == -EINTR ? -EAGAIN : r;
}

} // namespace tendril::detail::io
