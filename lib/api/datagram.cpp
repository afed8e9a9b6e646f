// SPDX-License-Identifier: BSL-1.0
#include <tendril/datagram.hpp>

#include "api/net_support.hpp"
#include "io/operations.hpp"

#include <algorithm>

namespace tendril {
inline namespace v1 {
namespace net {

void datagram_socket::send_message(const void* data, std::size_t size, const dns::address* to,
                                   deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    const ssize_t n =
        detail::io::sendto(native_handle(), data, size, MSG_NOSIGNAL,
                           to == nullptr ? nullptr : to->data(), to == nullptr ? 0 : to->size(), o);
    if (n < 0) {
        net::fail(static_cast<int>(-n), to == nullptr ? doing("send") : "send to " + text_of(*to));
    }
}

datagram<dns::address> datagram_socket::receive_message(void* buffer, std::size_t size,
                                                        deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    detail::net::socket_address from;
    from.size = sizeof from.bytes;
    const ssize_t n =
        detail::io::recvfrom(native_handle(), buffer, size, MSG_TRUNC, from.data(), &from.size, o);
    if (n < 0) {
        fail(static_cast<int>(-n), "receive");
    }
    const auto full_size = static_cast<std::size_t>(n);
    return {std::min(full_size, size), full_size, to_public(from)};
}

void datagram_socket::send(const void* data, std::size_t size, deadline limit) {
    send_message(data, size, nullptr, limit);
}

std::size_t datagram_socket::receive(void* buffer, std::size_t size, deadline limit) {
    const auto got = receive_message(buffer, size, limit);
    if (got.truncated()) {
        throw transfer_error(EMSGSIZE, doing("receive"), got.size);
    }
    return got.size;
}

} // namespace net
} // namespace v1
} // namespace tendril
