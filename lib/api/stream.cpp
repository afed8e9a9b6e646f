// SPDX-License-Identifier: BSL-1.0
#include <tendril/stream.hpp>

#include "api/net_support.hpp"
#include "io/iov_cursor.hpp"
#include "io/operations.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <vector>

namespace tendril {
inline namespace v1 {
namespace net {

transfer_error::~transfer_error() = default;
end_of_stream::~end_of_stream() = default;

std::size_t stream::read_some(void* buffer, std::size_t size, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    const ssize_t n = detail::io::read(native_handle(), buffer, size, o);
    if (n < 0) {
        throw_transfer(static_cast<int>(-n), doing("read"), 0);
    }
    return static_cast<std::size_t>(n);
}

void stream::read_exactly(void* buffer, std::size_t size, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    auto* const bytes = static_cast<char*>(buffer);
    for (std::size_t done = 0; done < size;) {
        const ssize_t n = detail::io::read(native_handle(), bytes + done, size - done, o);
        if (n < 0) {
            throw_transfer(static_cast<int>(-n), doing("read"), done);
        }
        if (n == 0) {
            throw end_of_stream(doing("read") + ": the peer ended the stream after " +
                                    std::to_string(done) + " of " + std::to_string(size) + " bytes",
                                done);
        }
        done += static_cast<std::size_t>(n);
    }
}

std::string stream::read_until(std::string_view delimiter, std::size_t most, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    std::string text;
    for (;;) {
        char buffer[4096];
        const std::size_t room = std::min(sizeof buffer, most - text.size());
        if (room == 0) {
            throw transfer_error(EMSGSIZE, doing("read"), text.size());
        }
        // Looks first: what follows the delimiter must stay for the next reader.
        const ssize_t seen = detail::io::recv(native_handle(), buffer, room, MSG_PEEK, o);
        if (seen < 0) {
            throw_transfer(static_cast<int>(-seen), doing("read"), text.size());
        }
        if (seen == 0) {
            throw end_of_stream(doing("read") + ": the peer ended the stream after " +
                                    std::to_string(text.size()) + " bytes",
                                text.size());
        }
        const std::size_t before = text.size();
        text.append(buffer, static_cast<std::size_t>(seen));
        const std::size_t from = before - std::min(before, delimiter.size());
        const std::size_t found = text.find(delimiter, from);
        if (found != std::string::npos) {
            text.resize(found + delimiter.size());
        }
        read_exactly(buffer, text.size() - before, limit);
        if (found != std::string::npos) {
            return text;
        }
    }
}

namespace {

msghdr message_of(iovec* buffers, std::size_t count) noexcept {
    msghdr message{};
    message.msg_iov = buffers;
    message.msg_iovlen = count;
    return message;
}

} // namespace

std::size_t stream::read_some(const iovec* buffers, std::size_t count, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    o.what = "read";
    msghdr message = message_of(const_cast<iovec*>(buffers), count);
    const ssize_t n = detail::io::recvmsg(native_handle(), &message, 0, o);
    if (n < 0) {
        throw_transfer(static_cast<int>(-n), doing("read"), 0);
    }
    return static_cast<std::size_t>(n);
}

void stream::write_all(const void* buffer, std::size_t size, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    const auto* const bytes = static_cast<const char*>(buffer);
    std::size_t done = 0;
    do {
        const ssize_t n =
            detail::io::send(native_handle(), bytes + done, size - done, MSG_NOSIGNAL, o);
        if (n < 0) {
            throw_transfer(static_cast<int>(-n), doing("write"), done);
        }
        done += static_cast<std::size_t>(n);
    } while (done < size);
}

void stream::write_all(const iovec* buffers, std::size_t count, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    o.what = "write";
    detail::io::iov_cursor rest(buffers, count);
    std::size_t done = 0;
    do {
        const msghdr message = message_of(rest.data_for_msghdr(), rest.count());
        const ssize_t n = detail::io::sendmsg(native_handle(), &message, MSG_NOSIGNAL, o);
        if (n < 0) {
            throw_transfer(static_cast<int>(-n), doing("write"), done);
        }
        done += static_cast<std::size_t>(n);
        if (!rest.advance(static_cast<std::size_t>(n))) {
            throw transfer_error(ENOMEM, doing("write"), done);
        }
    } while (rest.left() > 0);
}

void stream::write_all(std::initializer_list<std::string_view> texts, deadline limit) {
    std::vector<iovec> buffers;
    buffers.reserve(texts.size());
    for (const std::string_view text : texts) {
        buffers.push_back({const_cast<char*>(text.data()), text.size()});
    }
    write_all(buffers.data(), buffers.size(), limit);
}

std::size_t stream::send_file(int file, off_t offset, std::size_t count, deadline limit) {
    detail::io::options o;
    o.deadline = own_or(limit).at();
    std::size_t done = 0;
    while (done < count) {
        const std::size_t most = std::min(count - done, std::size_t{SSIZE_MAX});
        const ssize_t n =
            detail::io::sendfile(native_handle(), file, &offset, most, MSG_NOSIGNAL, o);
        if (n < 0) {
            throw_transfer(static_cast<int>(-n),
                           doing(("send file " + std::to_string(file) + " to").c_str()), done);
        }
        if (n == 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    return done;
}

void stream::shutdown(direction which) {
    const int how = which == direction::receive ? SHUT_RD
                    : which == direction::send  ? SHUT_WR
                                                : SHUT_RDWR;
    if (const int r = detail::io::shutdown(native_handle(), how); r < 0) {
        fail(-r, "shutdown");
    }
}

} // namespace net
} // namespace v1
} // namespace tendril
