// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace tendril_test {

/// An empty folder, removed with all that is in it. Its path is short enough for Unix sockets.
class scratch_folder {
public:
    scratch_folder() {
        if (::mkdtemp(path_.data()) == nullptr) {
            throw std::system_error(errno, std::system_category(), "mkdtemp");
        }
    }
    ~scratch_folder() { std::filesystem::remove_all(path_); }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    const std::string& path() const noexcept { return path_; }

private:
    std::string path_ = "/tmp/tendril_test_XXXXXX";
};

} // namespace tendril_test
