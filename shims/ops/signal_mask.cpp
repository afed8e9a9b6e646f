// SPDX-License-Identifier: BSL-1.0
#include "shims/ops/signal_mask.hpp"

#include <sys/signalfd.h>

namespace tendril::detail::shim {

masked_signals::masked_signals(const sigset_t* mask) noexcept {
    sigset_t blocked;
    if (mask == nullptr || ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked) != 0) {
        return;
    }
    sigset_t through;
    sigemptyset(&through);
    for (int number = 1; number < NSIG; ++number) {
        if (sigismember(&blocked, number) == 1 && sigismember(mask, number) == 0) {
            sigaddset(&through, number);
        }
    }
    if (sigisemptyset(&through) != 0) {
        return;
    }
    fd_ = ::signalfd(-1, &through, SFD_NONBLOCK | SFD_CLOEXEC);
    error_ = fd_ < 0 ? -ENOMEM : 0; // the only one that poll(2) has for this
}

masked_signals::~masked_signals() {
    if (fd_ >= 0) {
        const int saved = errno;
        io::close(fd_);
        errno = saved;
    }
}

} // namespace tendril::detail::shim
