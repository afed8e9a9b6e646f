// SPDX-License-Identifier: BSL-1.0
#include "tools/call_names.hpp"

#include <cstring>
#include <map>
#include <set>

namespace tendril::tools {

namespace {

using table = std::map<std::string, call_name>;

bool is_offloaded(const char* name, const char* kind) {
    static const std::set<std::string> names = {
#define TENDRIL_OFFLOADED(name) #name,
#include "shims/blocking.def"
    };
    return std::strcmp(kind, "offloads") == 0 || names.count(name) != 0;
}

/// Those that never block have no place here.
void add(table& all, const char* name, const char* family, const char* kind, const char* limits) {
    for (const char* const never : {"tracks", "here", "counts"}) {
        if (std::strcmp(kind, never) == 0) {
            return;
        }
    }
    all[name] = {is_offloaded(name, kind) ? fate::offloaded : fate::shimmed, family, limits};
}

void add_alias(table& all, const char* alias, const char* name) {
    const auto found = all.find(name);
    if (found != all.end()) {
        all.emplace(alias, found->second);
    }
}

table read_table() {
    struct group {
        fate becomes;
        const char* why;
    };
    std::map<std::string, group> groups;
#define TENDRIL_BLOCKING_GROUP(name, becomes, why) groups[#name] = {fate::becomes, why};
#include "shims/blocking.def"
    table all;
#define TENDRIL_BLOCKING(name, group)                                                              \
    all[#name] = {groups[#group].becomes, #group, groups[#group].why};
#include "shims/blocking.def"
#define TENDRIL_SYMBOL(name, family, kind, type, parameters, arguments, limits)                    \
    add(all, #name, #family, #kind, limits);
#define TENDRIL_VARIADIC(name, family, kind, type, parameters, arguments, limits, last)            \
    add(all, #name, #family, #kind, limits);
#define TENDRIL_ALIAS(alias, name, type, parameters, arguments) add_alias(all, #alias, #name);
#define TENDRIL_VARIADIC_ALIAS(alias, name, type, parameters, arguments, last)                     \
    add_alias(all, #alias, #name);
#define TENDRIL_FORMATTED(alias, name, type, parameters, arguments, last)                          \
    add_alias(all, #alias, #name);
#define TENDRIL_CHECKED(alias, name, type, parameters, arguments, overflow)                        \
    add_alias(all, #alias, #name);
#include "shims/symbols.def"
    return all;
}

} // namespace

const call_name* find_call(const std::string& name) {
    static const table all = read_table();
    const auto found = all.find(name);
    return found != all.end() ? &found->second : nullptr;
}

const char* to_string(fate f) noexcept {
    switch (f) {
    case fate::shimmed:
        return "shimmed";
    case fate::offloaded:
        return "offloaded";
    case fate::brief:
        return "brief";
    case fate::threads:
        return "threads";
    case fate::bypassing:
        return "bypassing";
    }
    return "";
}

} // namespace tendril::tools
