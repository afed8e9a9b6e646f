// SPDX-License-Identifier: BSL-1.0
#include "tools/library_search.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>

namespace tendril::tools {

namespace {

constexpr std::size_t objects_at_most = 4096; // of a hostile file's making

#if defined(__x86_64__)
constexpr char platform[] = "x86_64";
constexpr char tuple[] = "x86_64-linux-gnu";
#else
constexpr char platform[] = "aarch64";
constexpr char tuple[] = "aarch64-linux-gnu";
#endif

/// Null if it is not there or not for us, when the loader goes on looking too.
std::unique_ptr<elf_file> open_library(const std::string& path) {
    try {
        auto file = std::make_unique<elf_file>(path);
        return file->is_of_this_machine() ? std::move(file) : nullptr;
    } catch (const bad_file&) {
        return nullptr;
    }
}

std::string folder_of(const std::string& path) {
    char real[PATH_MAX];
    const std::string whole = ::realpath(path.c_str(), real) != nullptr ? real : path;
    const std::size_t slash = whole.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : whole.substr(0, slash);
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
        text.replace(at, what.size(), by);
    }
}

std::vector<std::string> split(const std::string& text, const char* separators) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

/// ld.so(8), "Dynamic string tokens".
std::string expanded(std::string text, const elf_file& origin) {
    const std::string lib = std::string("lib/") + tuple;
    for (const auto& [token, value] :
         {std::pair<std::string, std::string>{"ORIGIN", folder_of(origin.path())},
          {"LIB", lib},
          {"PLATFORM", platform}}) {
        replace_all(text, "${" + token + "}", value);
        replace_all(text, "$" + token, value);
    }
    return text;
}

bool is_same_file(const elf_file& a, const elf_file& b) {
    struct stat one;
    struct stat other;
    return ::fstat(a.fd(), &one) == 0 && ::fstat(b.fd(), &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

} // namespace

load_order::load_order(std::unique_ptr<elf_file> program) {
    auto first = std::make_unique<loaded_object>();
    first->dynamic = program->dynamic();
    first->name = first->dynamic.soname;
    first->file = std::move(program);
    objects_.push_back(std::move(first));
    for (std::size_t i = 0; i < objects_.size() && objects_.size() < objects_at_most; ++i) {
        const loaded_object& by = *objects_[i]; // stays where it is
        for (const std::string& name : by.dynamic.needed) {
            add(name, by);
        }
    }
}

void load_order::add(const std::string& name, const loaded_object& by) {
    const auto is_it = [&](const auto& object) {
        return object->name == name || object->dynamic.soname == name;
    };
    const auto is_known = [&](const missing_library& m) { return m.name == name; };
    if (name.empty() || std::any_of(objects_.begin(), objects_.end(), is_it) ||
        std::any_of(missing_.begin(), missing_.end(), is_known)) {
        return;
    }
    std::unique_ptr<elf_file> file = find(name, by);
    if (file == nullptr) {
        missing_.push_back({name, by.file->path()});
        return;
    }
    for (const auto& object : objects_) {
        if (is_same_file(*object->file, *file)) {
            return; // another name for it
        }
    }
    auto object = std::make_unique<loaded_object>();
    object->dynamic = file->dynamic();
    object->name = name;
    object->needed_by = &by;
    object->file = std::move(file);
    objects_.push_back(std::move(object));
}

std::unique_ptr<elf_file> load_order::find_in(const std::string& folders,
                                              const loaded_object& origin,
                                              const std::string& name) const {
    for (const std::string& folder : split(expanded(folders, *origin.file), ":;")) {
        if (auto file = open_library((folder.empty() ? "." : folder) + "/" + name)) {
            return file;
        }
    }
    return nullptr;
}

/// The order of ld.so(8).
std::unique_ptr<elf_file> load_order::find(const std::string& wanted, const loaded_object& by) {
    const std::string name = expanded(wanted, *by.file);
    if (name.find('/') != std::string::npos) {
        return open_library(name);
    }
    if (by.dynamic.runpath.empty()) {
        for (const loaded_object* o = &by; o != nullptr; o = o->needed_by) {
            if (o->dynamic.rpath.empty() || !o->dynamic.runpath.empty()) {
                continue;
            }
            if (auto file = find_in(o->dynamic.rpath, *o, name)) {
                return file;
            }
        }
    }
    const char* const path = std::getenv("LD_LIBRARY_PATH");
    if (path != nullptr && *path != '\0') {
        if (auto file = find_in(path, *objects_.front(), name)) {
            return file;
        }
    }
    if (!by.dynamic.runpath.empty()) {
        if (auto file = find_in(by.dynamic.runpath, by, name)) {
            return file;
        }
    }
    if (by.dynamic.ignores_default_folders) {
        return nullptr;
    }
    if (const auto cached = cache().find(name); cached != cache().end()) {
        for (const std::string& each : cached->second) {
            if (auto file = open_library(each)) {
                return file;
            }
        }
    }
    const std::string t = tuple;
    return find_in("/lib/" + t + ":/usr/lib/" + t + ":/lib64:/usr/lib64:/lib:/usr/lib", by, name);
}

/// Of /etc/ld.so.cache, as ldconfig prints it: it knows the formats. Each name with its files, the
/// best first.
const std::map<std::string, std::vector<std::string>>& load_order::cache() {
    if (has_cache_) {
        return cache_;
    }
    has_cache_ = true;
    std::FILE* const lines =
        ::popen("PATH=/usr/sbin:/sbin:/usr/bin:/bin; exec ldconfig -p 2>/dev/null", "re");
    if (lines == nullptr) {
        return cache_;
    }
    char* line = nullptr;
    std::size_t room = 0;
    for (ssize_t size; (size = ::getline(&line, &room, lines)) > 0;) {
        // "\tlibfoo.so.1 (libc6,x86-64) => /lib/libfoo.so.1"
        const std::string text(line, static_cast<std::size_t>(size) - (line[size - 1] == '\n'));
        const std::size_t name_end = text.find(" (");
        const std::size_t arrow = text.find(" => ");
        const bool for_some_processors = text.find("hwcap") < arrow;
        if (text[0] == '\t' && name_end < arrow && arrow != std::string::npos &&
            !for_some_processors) {
            cache_[text.substr(1, name_end - 1)].push_back(text.substr(arrow + 4));
        }
    }
    std::free(line);
    ::pclose(lines);
    return cache_;
}

} // namespace tendril::tools
