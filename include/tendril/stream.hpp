// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>
#include <tendril/socket.hpp>
#include <tendril/transfer_error.hpp>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <sys/uio.h>

namespace tendril {
inline namespace v1 {
namespace net {

/// Which way of a connection.
enum class direction { receive, send, both };

/// Bytes in order, both ways, between two ends: what tcp_stream and unix_stream have in common.
/// Take it by reference where either will do.
///
/// Errors of its transfers beside errno values of recv(2) and send(2): ETIMEDOUT the deadline
/// passed; EBADF there is no connection, or it was closed while the call waited. ECONNRESET and
/// EPIPE end the connection; after ETIMEDOUT it can be used on. No call raises SIGPIPE.
class TENDRIL_EXPORT stream : public basic_socket {
public:
    /// Waits until at least one byte can be read, and reads what is there, at most `size` bytes.
    /// @returns how many; 0 when the peer has ended the stream (or if `size` is 0).
    std::size_t read_some(void* buffer, std::size_t size, deadline limit = {});

    /// The same, into `count` buffers one after the other; at most IOV_MAX of them (EMSGSIZE). The
    /// buffers and their array are the caller's.
    std::size_t read_some(const iovec* buffers, std::size_t count, deadline limit = {});

    /// Reads `size` bytes.
    /// @throws transfer_error, end_of_stream: transferred() bytes are in the buffer.
    void read_exactly(void* buffer, std::size_t size, deadline limit = {});

    /// Reads up to and including the first `delimiter`, and nothing of what follows it.
    /// @param most the length that the result may have; EMSGSIZE beyond it. A delimiter within is
    /// found.
    /// @throws transfer_error, end_of_stream: transferred() bytes were read, and are lost.
    std::string read_until(std::string_view delimiter, std::size_t most = 65536,
                           deadline limit = {});

    /// Writes all: returns when the kernel has taken the last byte, which does not mean that the
    /// peer has it.
    /// @throws transfer_error: transferred() bytes were taken.
    void write_all(const void* buffer, std::size_t size, deadline limit = {});
    void write_all(std::string_view text, deadline limit = {}) {
        write_all(text.data(), text.size(), limit);
    }

    /// The same, of several buffers one after the other, without copying them together: `{header,
    /// body}`. At most IOV_MAX of them (EMSGSIZE).
    void write_all(std::initializer_list<std::string_view> texts, deadline limit = {});
    void write_all(const iovec* buffers, std::size_t count, deadline limit = {});

    /// Sends up to `count` bytes of a file from `offset` on, without copying them through the
    /// program, see io::sendfile(). The file's own position does not move.
    /// @returns how many: less than `count` only if the file ends.
    /// @throws transfer_error: transferred() bytes were taken. Beside the errors of write_all():
    /// EBADF, EINVAL `file` is not a file open for reading.
    std::size_t send_file(int file, off_t offset, std::size_t count, deadline limit = {});

    /// Ends one direction, see shutdown(2): after `send` the peer reads the end of the stream, and
    /// its answers can still be read. Fibers that wait in that direction go on. Never waits.
    /// @throws std::system_error ENOTCONN, EBADF.
    void shutdown(direction which);

protected:
    stream() noexcept = default;
    explicit stream(int fd, const dns::address& peer = {}) noexcept
        : basic_socket(fd, peer) {}
    stream(stream&&) noexcept = default;
    stream& operator=(stream&&) noexcept = default;
    ~stream() = default;
};

} // namespace net
} // namespace v1
} // namespace tendril
