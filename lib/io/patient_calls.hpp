// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "offload/offload.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/socket.h>
#include <sys/types.h>

namespace tendril::detail::io {

struct patient_lane;

/// A call that may block however carefully it was prepared, on a worker thread: accept, when
/// another process took the connection that was seen; write, to a terminal without room. Nothing
/// ends it there that would not harm others (signals are the program's, O_NONBLOCK and shutdown are
/// everybody's), so a fiber that gives up leaves it behind. It works on an fd of its own, because
/// the program may close its fd meanwhile.
class patient_call : public offload_job {
public:
    void run() noexcept final;
    ssize_t result() const noexcept { return result_; } ///< or -errno; once taken

protected:
    virtual ssize_t perform(int fd) noexcept = 0;
    virtual bool worth_keeping() const noexcept { return false; }
    virtual void discard() noexcept {} ///< what is not to be kept

    ssize_t result_ = -ECANCELED;

private:
    friend class patient_calls;
    friend struct patient_registry;

    // Under the registry's lock while the call is in a lane.
    std::shared_ptr<patient_lane> lane_;
    int own_fd_ = -1;
    bool done_ = false;
    bool claimed_ = true; ///< a fiber waits for it
};

/// One fiber's part in the calls on one fd, while its operation lasts. Those on one listener, or
/// else on one fd, are made one at a time: so there is one thread for each at most.
class patient_calls {
public:
    patient_calls(int fd, bool accepts) noexcept
        : fd_(fd)
        , accepts_(accepts) {}
    ~patient_calls(); ///< gives up what was not taken
    patient_calls(const patient_calls&) = delete;
    patient_calls& operator=(const patient_calls&) = delete;

    /// Starts the call unless one is under way, of this fiber or of another. Negative: -errno.
    /// Without a thread to be had it makes the call, which may block the hub.
    int start(std::shared_ptr<patient_call> call) noexcept;

    /// The call that this fiber started, when it is done; or one that is worth keeping and whose
    /// fiber gave up. Null: wait, as for readiness of the fd.
    std::shared_ptr<patient_call> take() noexcept;

    /// For hub_io::wait to ask once it has enlisted the fiber: what ended before woke nobody.
    bool may_go_on() const noexcept;

    /// These fds are about to be closed: their lanes go over to other fds of the same listeners. A
    /// connection that nobody is left for is closed, as the kernel does when a listener goes.
    static void closing(unsigned first, unsigned last) noexcept;

private:
    int fd_;
    bool accepts_;
    std::shared_ptr<patient_lane> lane_;
    std::shared_ptr<patient_call> call_;
    std::uint64_t seen_ = 0; ///< the lane's turn at the last look
};

} // namespace tendril::detail::io
