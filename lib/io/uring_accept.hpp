// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/socket.h>

struct io_uring_sqe;
struct io_uring_cqe;

namespace tendril::detail::io {

/// accept4 that does not block although the listener does: accept has no MSG_DONTWAIT, O_NONBLOCK
/// belongs to whoever shares the description, and after poll another process may be faster. A ring
/// of a hub's own, used for nothing else, each request awaited at once (which does not block: it is
/// a refusal or a cancellation that answers).
class uring_accept {
public:
    /// How the kernel is asked not to wait.
    enum class means : std::uint8_t {
        dontwait, ///< IORING_ACCEPT_DONTWAIT, Linux 6.10
        cancel    ///< accept and its cancellation in one submission, Linux 5.5
    };

    /// False makes every hub that has no ring yet do without, as where io_uring is refused. For
    /// tests.
    static inline std::atomic<bool> allowed{true};

    /// Null where io_uring is missing, forbidden, or out of resources.
    static std::unique_ptr<uring_accept> make(means first = means::dontwait) noexcept;
    ~uring_accept();
    uring_accept(const uring_accept&) = delete;
    uring_accept& operator=(const uring_accept&) = delete;

    /// The fd, or -errno; -EAGAIN: no connection; -EOPNOTSUPP: this kernel cannot, use something
    /// else.
    int accept(int fd, sockaddr* peer, socklen_t* peer_size, int flags) noexcept;

private:
    uring_accept() noexcept = default;
    bool open() noexcept;
    io_uring_sqe& next_request() noexcept;
    int submit_and_wait(unsigned count) noexcept;

    template <typename T>
    T* in_ring(std::uint32_t offset) const noexcept {
        return reinterpret_cast<T*>(static_cast<std::byte*>(ring_) + offset);
    }

    int fd_ = -1;
    means means_ = means::dontwait;
    void* ring_ = nullptr; ///< both queues: IORING_FEAT_SINGLE_MMAP
    std::size_t ring_size_ = 0;
    io_uring_sqe* requests_ = nullptr;
    std::size_t requests_size_ = 0;
    unsigned* sq_tail_ = nullptr;
    unsigned* sq_array_ = nullptr;
    unsigned sq_mask_ = 0;
    unsigned* cq_head_ = nullptr;
    unsigned* cq_tail_ = nullptr;
    io_uring_cqe* results_ = nullptr;
    unsigned cq_mask_ = 0;
};

} // namespace tendril::detail::io
