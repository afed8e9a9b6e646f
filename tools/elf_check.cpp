// SPDX-License-Identifier: BSL-1.0
#include "tools/elf_check.hpp"

#include "tools/elf_file.hpp"
#include "tools/env_command.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
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

verdict refused(const std::string& path, const std::string& what) {
    return {impossible, path + " " + what + ": interposition cannot work there"};
}

bool privileged(const elf_file& file, std::string& why) {
    struct stat status;
    struct statvfs mount;
    if (::fstat(file.fd(), &status) != 0 || ::fstatvfs(file.fd(), &mount) != 0 ||
        (mount.f_flag & ST_NOSUID) != 0) {
        return false;
    }
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != ::getuid()) {
        why = "is setuid, so the loader ignores LD_PRELOAD";
    } else if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
               status.st_gid != ::getgid()) {
        why = "is setgid, so the loader ignores LD_PRELOAD";
    } else if (::getuid() != 0 && ::fgetxattr(file.fd(), "security.capability", nullptr, 0) > 0) {
        why = "has file capabilities, so the loader ignores LD_PRELOAD";
    }
    return !why.empty();
}

/// The line after "#!", or "" if there is none: execve(2) reads as much.
std::string hash_bang_of(const std::string& path) {
    std::array<char, 256> start{};
    struct stat status;
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return {};
    }
    std::ifstream(path).read(start.data(), start.size());
    if (start[0] != '#' || start[1] != '!') {
        return {};
    }
    const std::string line(start.begin() + 2, std::find(start.begin(), start.end(), '\n'));
    return line.c_str();
}

/// The n-th word.
std::string word(const std::string& line, std::size_t n) {
    std::istringstream words(line);
    std::string found;
    for (std::size_t i = 0; i <= n; ++i) {
        found.clear();
        words >> found;
    }
    return found;
}

verdict judge(const std::string& path, int depth) {
    if (::access(path.c_str(), F_OK) != 0) {
        return {not_found, path + ": " + std::strerror(errno)};
    }
    if (::access(path.c_str(), R_OK) != 0) {
        return {}; // executable but not readable: the kernel will run it, nobody can say more
    }
    if (const std::string line = hash_bang_of(path); !line.empty()) {
        const std::string next = word(line, 0);
        if (next.empty() || depth == interpreters_at_most) {
            return {not_executable, path + ": its interpreter cannot be followed"};
        }
        return judge(next, depth + 1);
    }
    try {
        const elf_file file(path);
        std::string why;
        if (!file.is_of_this_machine()) {
            return refused(path, "is for another machine than libtendril_shim");
        }
        if (privileged(file, why)) {
            return refused(path, why);
        }
        if (!file.has_interpreter()) {
            return refused(path, "is statically linked");
        }
    } catch (const bad_file&) {
        return depth == 0 ? judge("/bin/sh", 1) : verdict{}; // what execvp(3) makes of it
    }
    return {};
}

} // namespace

verdict find_program(const std::string& program, std::string& path, const std::string& places) {
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

verdict find_program(const std::string& program, std::string& path) {
    const char* const search = std::getenv("PATH");
    return find_program(program, path, search != nullptr ? search : "/bin:/usr/bin");
}

verdict can_interpose(const std::string& path) {
    return judge(path, 0);
}

std::string script_interpreter(const std::string& path) {
    std::string interpreter;
    std::string at = path;
    for (int depth = 0; depth <= interpreters_at_most; ++depth) {
        const std::string line = hash_bang_of(at);
        if (line.empty()) {
            break;
        }
        at = word(line, 0);
        // "#!/usr/bin/env python3" is run by python3 in the end.
        if (at.substr(at.rfind('/') + 1) == "env") {
            const env_command command = read_env_command(line.substr(line.find(at) + at.size()));
            std::string found;
            if (!command.program.empty()) {
                at = find_program(command.program, found, command.path).status == 0
                         ? found
                         : command.program;
            }
        }
        interpreter = at;
    }
    return interpreter;
}

} // namespace tendril::tools
