// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the sockets of <tendril/unix_socket.hpp> know of their file. Nothing here is for direct use.

#include <tendril/export.hpp>

#include <string>
#include <sys/types.h>

namespace tendril {
namespace detail {

/// A file that this process made by binding a socket, removed with this object, unless it is
/// another file by now, or the process another.
class TENDRIL_EXPORT socket_file {
public:
    socket_file() noexcept = default; ///< none
    explicit socket_file(const std::string& path);
    socket_file(socket_file&& other) noexcept;
    socket_file& operator=(socket_file&& other) noexcept;
    ~socket_file() { remove(); }

    void remove() noexcept;
    void keep() noexcept { path_.clear(); }

private:
    std::string path_; ///< empty: none
    dev_t device_ = 0;
    ino_t inode_ = 0;
    pid_t owner_ = 0;
};

} // namespace detail
} // namespace tendril
