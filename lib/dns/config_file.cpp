// SPDX-License-Identifier: BSL-1.0
#include "dns/config_file.hpp"

#include "sys/calls.hpp"

#include <fcntl.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace tendril::detail::dns {

namespace {

config_paths& current_paths() {
    static config_paths& p = *new config_paths;
    return p;
}

std::atomic<unsigned> generation{1};

bool same_time(const timespec& a, const timespec& b) noexcept {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

struct closed_at_the_end {
    int fd;
    ~closed_at_the_end() { sys::real.close(fd); }
};

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

} // namespace

const config_paths& paths() noexcept {
    return current_paths();
}

void set_paths(config_paths p) {
    current_paths() = std::move(p);
    ++generation;
}

unsigned paths_generation() noexcept {
    return generation.load(std::memory_order_relaxed);
}

file_identity file_identity::of(const struct stat& st) noexcept {
    return {true, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
}

file_identity file_identity::of(const std::string& path) noexcept {
    struct stat st;
    return ::stat(path.c_str(), &st) == 0 ? of(st) : file_identity{};
}

std::mutex& config_mutex() {
    static std::mutex& mutex = *[] {
        static std::mutex made;
        if (pthread_atfork([] { made.lock(); }, [] { made.unlock(); }, [] { made.unlock(); }) !=
            0) {
            throw std::bad_alloc(); // tried again at the next look
        }
        return &made;
    }();
    return mutex;
}

bool file_identity::same(const file_identity& o) const noexcept {
    return exists == o.exists &&
           (!exists || (inode == o.inode && size == o.size && same_time(modified, o.modified) &&
                        same_time(changed, o.changed)));
}

std::string read_config_file(const std::string& path, file_identity& identity) {
    identity = {};
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        // Not as if the file said nothing: then a name that it knows would not exist.
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            throw std::system_error(errno, std::system_category(), "open " + path);
        }
        return text;
    }
    const closed_at_the_end guard{fd};
    // The identity comes first: a change while reading is then noticed at the next look.
    struct stat st;
    if (sys::real.fstat(fd, &st) == 0) {
        identity = file_identity::of(st);
    }
    char buffer[4096];
    ssize_t n;
    while ((n = sys::real.read(fd, buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
}

std::string_view take_word(std::string_view& rest) noexcept {
    constexpr std::string_view space = " \t\n\v\f\r";
    rest.remove_prefix(std::min(rest.find_first_not_of(space), rest.size()));
    const std::size_t end = std::min(rest.find_first_of(space), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

} // namespace tendril::detail::dns
