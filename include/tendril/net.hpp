// SPDX-License-Identifier: BSL-1.0
#pragma once

// All of net::, for code that uses several kinds of sockets.

#include <tendril/datagram.hpp>
#include <tendril/endpoint.hpp>
#include <tendril/socket.hpp>
#include <tendril/socket_options.hpp>
#include <tendril/stream.hpp>
#include <tendril/tcp.hpp>
#include <tendril/transfer_error.hpp>
#include <tendril/udp.hpp>
#include <tendril/unix_socket.hpp>

namespace tendril {
inline namespace v1 {

/// Sockets for code that is written to block: each call parks the calling fiber where it would
/// block, and other fibers run. On a thread without a hub the thread gets one, and waits as its
/// main fiber.
///
/// Errors are std::system_error with the real errno and what was being done, like "connect
/// 127.0.0.1:5432: Connection refused". ECANCELED: its hub ends. Cancelled: <tendril/cancel.hpp>.
///
/// One object belongs to one thread at a time. Within it, any number of fibers may read while
/// others write; each call gets bytes or datagrams of its own, in no promised order.
namespace net {}

} // namespace v1
} // namespace tendril
