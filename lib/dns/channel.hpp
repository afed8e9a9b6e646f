// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/reply.hpp"
#include "dns/resolv_conf.hpp"
#include "hub/hub_core.hpp"

#include <ares.h>
#include <poll.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace tendril::detail::dns {

/// What all queries of a channel have in common.
struct channel_settings {
    server_address server{};
    int timeout_ms = 5000;
    bool tcp = false;
    bool edns = false;

    bool operator==(const channel_settings& o) const noexcept;
};

/// One or two questions to one server, and the fiber that waits for both answers. On that fiber's
/// stack; a channel that outlives the wait forgets it.
class exchange {
public:
    struct answer {
        bool done = false;
        int status = ARES_ECANCELLED; ///< of c-ares
        message_bytes message;        ///< if the status is ARES_SUCCESS
    };

    std::array<answer, 2> answers;
    int error = 0; ///< an errno that kept a socket from being made

private:
    friend class channel;
    ticket waiter_;
    unsigned open_ = 0;
    std::array<struct query*, 2> queries_{};
};

/// A c-ares channel to one server, and the fiber that moves its sockets while questions are open.
///
/// c-ares sends, retries over nothing, matches answers to questions and frames TCP. Which server is
/// asked next, how often and for how long is ours (resolver.cpp): c-ares has its own ideas of that.
/// A channel's questions share a UDP socket, so there are several channels under load: replies then
/// never outgrow a socket's buffer, and c-ares' lists stay short.
class channel : public std::enable_shared_from_this<channel> {
public:
    /// Throws std::bad_alloc.
    channel(hub_core& hub, const channel_settings& settings);
    ~channel();
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    const channel_settings& settings() const noexcept { return settings_; }
    std::size_t open() const noexcept { return open_; }
    bool idle() const noexcept { return open_ == 0 && !driven_; }

    /// Puts a question; its answer may be there when this returns: ARES_ENOMEM, if nothing else.
    void ask(exchange& e, std::size_t index, const std::string& name, int type) noexcept;

    /// Parks until all questions of `e` are answered. Else they are given up.
    wake wait(exchange& e, const wait_reason& why, time_point deadline);

    /// In a child, or when the thread ends: closes the sockets without a word to anybody.
    void mute() noexcept;

private:
    class driver;
    void start_driver();
    void drive();
    time_point next_timeout() noexcept;
    void process(const pollfd& ready) noexcept;
    void driver_ended(bool ran) noexcept;
    void cancel_all() noexcept;
    void complete(struct query& q, int status, const unsigned char* message, int size) noexcept;
    void socket_state(int fd, bool in, bool out) noexcept;
    void sent(const iovec* iov, int count) noexcept;
    ares_ssize_t complete_header(unsigned char* message, ares_ssize_t size,
                                 std::size_t room) const noexcept;

    friend struct channel_callbacks;

    hub_core& hub_;
    channel_settings settings_;
    ares_channel ares_ = nullptr;
    pollfd socket_{-1, 0, 0};         ///< the one socket, UDP or TCP, and what c-ares waits for
    std::vector<message_bytes> sent_; ///< over UDP, since no question was open last
    std::size_t open_ = 0;            ///< questions, abandoned ones included
    std::size_t wanted_ = 0;          ///< questions that somebody waits for
    int socket_error_ = 0;
    bool driven_ = false;
    bool starved_ = false; ///< the last driver never got to run
    bool muted_ = false;
};

} // namespace tendril::detail::dns
