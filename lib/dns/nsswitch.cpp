// SPDX-License-Identifier: BSL-1.0
#include "dns/nsswitch.hpp"

#include "dns/config_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

namespace tendril::detail::dns {

namespace {

source_kind kind_of(std::string_view name) {
    if (name == "files") {
        return source_kind::files;
    }
    if (name == "dns") {
        return source_kind::dns;
    }
    if (name == "mdns_minimal" || name == "mdns4_minimal" || name == "mdns6_minimal") {
        return source_kind::mdns_minimal;
    }
    return name == "myhostname" ? source_kind::my_host_name : source_kind::other;
}

bool read_status(std::string_view word, source_status& out) {
    static constexpr std::string_view names[] = {"SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"};
    for (std::size_t i = 0; i < std::size(names); ++i) {
        if (same_name(word, names[i])) {
            out = static_cast<source_status>(i);
            return true;
        }
    }
    return false;
}

/// One "[!STATUS=action …]" for the source before it. False: not understood.
bool read_actions(std::string_view text, host_source& source) {
    while (true) {
        const std::string_view word = take_word(text);
        if (word.empty()) {
            return true;
        }
        const bool negated = word.front() == '!';
        const std::size_t equals = word.find('=');
        source_status status;
        if (equals == std::string_view::npos ||
            !read_status(word.substr(negated ? 1 : 0, equals - (negated ? 1 : 0)), status)) {
            return false;
        }
        const std::string_view action = word.substr(equals + 1);
        const bool go_on = same_name(action, "continue");
        if (!go_on && !same_name(action, "return")) {
            return false;
        }
        for (std::size_t i = 0; i < source.go_on.size(); ++i) {
            if ((i == static_cast<std::size_t>(status)) != negated) {
                source.go_on[i] = go_on;
            }
        }
    }
}

host_sources read_sources(std::string_view text) {
    host_sources out;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(" \t\r"), text.size()));
        if (text.empty()) {
            return out;
        }
        if (text.front() == '[') {
            const std::size_t end = text.find(']');
            if (end == std::string_view::npos || out.list.empty() ||
                !read_actions(text.substr(1, end - 1), out.list.back())) {
                out.foreign = true;
                return out;
            }
            text.remove_prefix(end + 1);
        } else {
            const std::string_view name = text.substr(0, text.find_first_of(" \t\r["));
            out.list.push_back({kind_of(name)});
            text.remove_prefix(name.size());
        }
    }
}

} // namespace

host_sources parse_nsswitch(std::string_view text) {
    std::optional<host_sources> found;
    for_each_line(text, [&found](std::string_view line) {
        // As glibc: a # starts a comment only where a name is expected, the colon may be missing.
        constexpr std::string_view space = " \t\v\f\r";
        line.remove_prefix(std::min(line.find_first_not_of(space), line.size()));
        const std::size_t end = std::min(line.find_first_of(" \t\v\f\r:"), line.size());
        const std::string_view name = line.substr(0, end);
        line.remove_prefix(end);
        if (name == "hosts" && !line.empty()) {
            line.remove_prefix(std::min(line.find_first_not_of(" \t\v\f\r:"), line.size()));
            found = read_sources(line);
        }
    });
    return found ? std::move(*found) : read_sources("files dns");
}

std::shared_ptr<const host_sources> current_host_sources() {
    static config_file<host_sources>& file =
        *new config_file<host_sources>(&config_paths::nsswitch, &parse_nsswitch);
    return file.get();
}

bool may_know(source_kind kind, std::string_view name) {
    if (!name.empty() && name.back() == '.') {
        name.remove_suffix(1);
    }
    const auto ends_with = [name](std::string_view end) {
        return name.size() >= end.size() && same_name(name.substr(name.size() - end.size()), end);
    };
    if (kind == source_kind::mdns_minimal) {
        return ends_with(".local");
    }
    if (kind == source_kind::my_host_name) {
        char own[256] = "";
        gethostname(own, sizeof own - 1);
        const std::string_view mine = own;
        return ends_with("localhost") || ends_with("localhost.localdomain") ||
               same_name(name, "_gateway") || same_name(name, "_outbound") ||
               same_name(name, mine) || same_name(name, mine.substr(0, mine.find('.'))) ||
               same_name(name.substr(0, name.find('.')), mine.substr(0, mine.find('.')));
    }
    return true;
}

} // namespace tendril::detail::dns
