// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>
#include <tendril/socket.hpp>
#include <tendril/transfer_error.hpp>

#include <cstddef>
#include <string_view>

namespace tendril {
inline namespace v1 {
namespace net {

/// A datagram that was received.
template <typename Address>
struct datagram {
    std::size_t size;      ///< bytes of it in the buffer
    std::size_t full_size; ///< bytes that it had; what did not fit is lost
    Address from;          ///< who sent it, as far as it has a name

    bool truncated() const noexcept { return full_size > size; }
};

/// Messages that arrive whole or not at all: what udp_socket and unix_datagram have in common.
///
/// Errors beside errno values of recv(2) and send(2): ETIMEDOUT the deadline passed; EBADF there is
/// no socket, or it was closed while the call waited. No call raises SIGPIPE. After every other
/// error the socket can be used on.
class TENDRIL_EXPORT datagram_socket : public basic_socket {
public:
    /// Sends one datagram to the peer that the socket is connected to, waiting for room.
    /// @throws std::system_error EDESTADDRREQ, ENOTCONN there is none; EMSGSIZE too long; UDP:
    /// ECONNREFUSED nobody had received an earlier one, see udp_socket; AF_UNIX: ECONNREFUSED the
    /// peer is closed.
    void send(const void* data, std::size_t size, deadline limit = {});
    void send(std::string_view data, deadline limit = {}) { send(data.data(), data.size(), limit); }

    /// Waits for the next datagram. 0: an empty one.
    /// @throws transfer_error EMSGSIZE: it was longer than `size` bytes, which are in the buffer;
    /// the rest is lost. receive_from() only tells.
    std::size_t receive(void* buffer, std::size_t size, deadline limit = {});

protected:
    datagram_socket() noexcept = default;
    explicit datagram_socket(int fd, const dns::address& peer = {}) noexcept
        : basic_socket(fd, peer) {}
    datagram_socket(datagram_socket&&) noexcept = default;
    datagram_socket& operator=(datagram_socket&&) noexcept = default;
    ~datagram_socket() = default;

    void send_message(const void* data, std::size_t size, const dns::address* to, deadline limit);
    datagram<dns::address> receive_message(void* buffer, std::size_t size, deadline limit);
};

} // namespace net
} // namespace v1
} // namespace tendril
