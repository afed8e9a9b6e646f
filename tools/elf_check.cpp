// SPDX-License-Identifier: BSL-1.0
#include "tools/elf_check.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tendril::tools {

namespace {

constexpr int not_executable = 126;
constexpr int not_found = 127;
constexpr int impossible = 2;
constexpr int interpreters_at_most = 5; // execve(2) follows as many

struct open_file {
    explicit open_file(const std::string& path)
        : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~open_file() {
        if (fd >= 0) {
            ::close(fd);
        }
    }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;

    template <typename T>
    bool get(T& value, off_t offset) const {
        return ::pread(fd, &value, sizeof value, offset) == static_cast<ssize_t>(sizeof value);
    }

    int fd;
};

verdict refused(const std::string& path, const std::string& what) {
    return {impossible, path + " " + what + ": interposition cannot work there"};
}

/// The e_machine of this very program: a library of ours cannot go into another machine's.
Elf64_Half own_machine() {
    Elf64_Ehdr header = {};
    open_file("/proc/self/exe").get(header, 0);
    return header.e_machine;
}

bool privileged(const open_file& file, std::string& why) {
    struct stat status;
    struct statvfs mount;
    if (::fstat(file.fd, &status) != 0 || ::fstatvfs(file.fd, &mount) != 0 ||
        (mount.f_flag & ST_NOSUID) != 0) {
        return false;
    }
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != ::getuid()) {
        why = "is setuid, so the loader ignores LD_PRELOAD";
    } else if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
               status.st_gid != ::getgid()) {
        why = "is setgid, so the loader ignores LD_PRELOAD";
    } else if (::getuid() != 0 && ::fgetxattr(file.fd, "security.capability", nullptr, 0) > 0) {
        why = "has file capabilities, so the loader ignores LD_PRELOAD";
    }
    return !why.empty();
}

bool has_interpreter(const open_file& file, const Elf64_Ehdr& header) {
    for (Elf64_Half i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        if (!file.get(segment, static_cast<off_t>(header.e_phoff) + i * header.e_phentsize)) {
            return false;
        }
        if (segment.p_type == PT_INTERP) {
            return true;
        }
    }
    return false;
}

/// The interpreter of a "#!" line, or "" if there is none.
std::string interpreter_of(const char* text, std::size_t size) {
    std::string line(text + 2, size - 2);
    line.erase(std::min(line.find('\n'), line.size()));
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos) {
        return {};
    }
    return line.substr(begin, line.find_first_of(" \t", begin) - begin);
}

verdict judge(const std::string& path, int depth) {
    const open_file file(path);
    if (file.fd < 0) {
        // Executable but not readable: the kernel will run it, and nobody can say more.
        return errno == EACCES ? verdict{} : verdict{not_found, path + ": " + std::strerror(errno)};
    }
    char start[256];
    const ssize_t size = ::pread(file.fd, start, sizeof start, 0);
    if (size >= 2 && start[0] == '#' && start[1] == '!') {
        const std::string next = interpreter_of(start, static_cast<std::size_t>(size));
        if (next.empty() || depth == interpreters_at_most) {
            return {not_executable, path + ": its interpreter cannot be followed"};
        }
        return judge(next, depth + 1);
    }
    Elf64_Ehdr header;
    if (!file.get(header, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return depth == 0 ? judge("/bin/sh", 1) : verdict{}; // what execvp(3) makes of it
    }
    std::string why;
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != own_machine()) {
        return refused(path, "is for another machine than libtendril_shim");
    }
    if (privileged(file, why)) {
        return refused(path, why);
    }
    if (!has_interpreter(file, header)) {
        return refused(path, "is statically linked");
    }
    return {};
}

} // namespace

verdict find_program(const std::string& program, std::string& path) {
    if (program.find('/') != std::string::npos) {
        path = program;
        struct stat status;
        if (::stat(path.c_str(), &status) != 0) {
            return {errno == ENOENT || errno == ENOTDIR ? not_found : not_executable,
                    path + ": " + std::strerror(errno)};
        }
        if (!S_ISREG(status.st_mode) || ::access(path.c_str(), X_OK) != 0) {
            return {not_executable, path + ": " + std::strerror(EACCES)};
        }
        return {};
    }
    const char* const search = std::getenv("PATH");
    const std::string places = search != nullptr ? search : "/bin:/usr/bin";
    verdict result{not_found, program + ": " + std::strerror(ENOENT)};
    for (std::size_t begin = 0; begin <= places.size() && !program.empty();) {
        const std::size_t end = std::min(places.find(':', begin), places.size());
        const std::string place = places.substr(begin, end - begin);
        begin = end + 1;
        path = (place.empty() ? "." : place) + "/" + program;
        struct stat status;
        if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
            continue;
        }
        if (::access(path.c_str(), X_OK) == 0) {
            return {};
        }
        result = {not_executable, path + ": " + std::strerror(EACCES)};
    }
    return result;
}

verdict can_interpose(const std::string& path) {
    return judge(path, 0);
}

} // namespace tendril::tools
