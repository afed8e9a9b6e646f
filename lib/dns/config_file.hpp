// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/stat.h>

#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace tendril::detail::dns {

/// The files that say how names are found. Another set is for tests.
struct config_paths {
    std::string resolv_conf = "/etc/resolv.conf";
    std::string hosts = "/etc/hosts";
    std::string nsswitch = "/etc/nsswitch.conf";
    std::string host_conf = "/etc/host.conf";
};

const config_paths& paths() noexcept;

/// Tests only, while nothing resolves: everything is read anew from there.
void set_paths(config_paths p);
unsigned paths_generation() noexcept;

/// What glibc compares to notice that a file changed (file_change_detection.h there).
struct file_identity {
    bool exists = false;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
    timespec changed{};

    static file_identity of(const struct stat& st) noexcept;
    static file_identity of(const std::string& path) noexcept;
    bool same(const file_identity& other) const noexcept;
};

/// The text of a file, empty if it cannot be read, and which version of it that is. Throws
/// std::system_error when there is no fd or no memory to read it.
std::string read_config_file(const std::string& path, file_identity& identity);

/// Guards all that is remembered of files. A fork waits for it, so it is free in the child.
std::mutex& config_mutex();

/// What a file says, read again when it changed. Any thread; a reader keeps the version
/// it got.
template <typename T>
class config_file {
public:
    using path_member = std::string config_paths::*;
    using parser = T (*)(std::string_view text);

    config_file(path_member path, parser parse)
        : path_(path)
        , parse_(parse) {}

    std::shared_ptr<const T> get() {
        const std::string& path = paths().*path_;
        const std::lock_guard lock(config_mutex());
        const bool same_place = generation_ == paths_generation();
        if (value_ == nullptr || !same_place ||
            (!pinned_ && !identity_.same(file_identity::of(path)))) {
            file_identity identity;
            value_ = std::make_shared<const T>(parse_(read_config_file(path, identity)));
            identity_ = identity; // last: what could not be read is not remembered
            generation_ = paths_generation();
        }
        return value_;
    }

    /// From now on changes do not count (`options no-reload`).
    void pin() {
        const std::lock_guard lock(config_mutex());
        pinned_ = true;
    }

private:
    path_member path_;
    parser parse_;
    std::shared_ptr<const T> value_;
    file_identity identity_;
    unsigned generation_ = 0;
    bool pinned_ = false;
};

/// Calls `line(text)` for each line, without its end.
template <typename Line>
void for_each_line(std::string_view text, Line line) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        line(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

/// The next word of `rest`, which loses it; empty at the end. Words are separated as isspace(3) in
/// the C locale.
std::string_view take_word(std::string_view& rest) noexcept;

/// ASCII only, as DNS names are compared.
bool same_name(std::string_view a, std::string_view b) noexcept;

} // namespace tendril::detail::dns
