// SPDX-License-Identifier: BSL-1.0
#include <tendril/detail/socket_file.hpp>

#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace tendril::detail {

socket_file::socket_file(const std::string& path) {
    struct stat status {};
    if (!path.empty() && ::lstat(path.c_str(), &status) == 0) {
        path_ = path;
        device_ = status.st_dev;
        inode_ = status.st_ino;
        owner_ = ::getpid();
    }
}

socket_file::socket_file(socket_file&& other) noexcept
    : path_(std::exchange(other.path_, {}))
    , device_(other.device_)
    , inode_(other.inode_)
    , owner_(other.owner_) {}

socket_file& socket_file::operator=(socket_file&& other) noexcept {
    if (this != &other) {
        remove();
        path_ = std::exchange(other.path_, {});
        device_ = other.device_;
        inode_ = other.inode_;
        owner_ = other.owner_;
    }
    return *this;
}

void socket_file::remove() noexcept {
    struct stat status {};
    if (!path_.empty() && owner_ == ::getpid() && ::lstat(path_.c_str(), &status) == 0 &&
        status.st_dev == device_ && status.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
    path_.clear();
}

} // namespace tendril::detail
