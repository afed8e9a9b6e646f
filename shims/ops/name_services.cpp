// SPDX-License-Identifier: BSL-1.0
//
// Users, groups, services, protocols and networks. Which modules answer is libc's business
// (nsswitch.conf(5)); they may ask servers, so libc does it on a worker thread. What it keeps in
// static variables is each fiber's own here.
#include "shims/ops/by_libc.hpp"
#include "shims/ops/fiber_result.hpp"
#include "shims/ops/operations.hpp"

#include <vector>

namespace tendril::detail::shim::ops {

namespace {

template <typename Entry>
struct static_entry {
    Entry entry{};
    std::vector<char> buffer;
};

/// `ask(entry, buffer, room, result)` is the `_r` form, whose room grows as in libc.
template <typename Entry, typename Ask>
Entry* fill(static_entry<Entry>& own, Ask ask) noexcept {
    try {
        if (own.buffer.empty()) {
            own.buffer.resize(1024);
        }
        Entry* result = nullptr;
        while (ask(&own.entry, own.buffer.data(), own.buffer.size(), &result) == ERANGE) {
            own.buffer.resize(own.buffer.size() * 2);
        }
        return result;
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
        return nullptr;
    }
}

template <typename Entry, typename Tag, typename Ask, typename Original>
Entry* find(tendril_shim_index index, const char* what, Ask ask, Original original) noexcept {
    return serve(
        index,
        [&](hub_core& hub, io::options& o) -> Entry* {
            auto* const own = result_of_fiber<static_entry<Entry>, Tag>();
            if (own == nullptr) {
                errno = ENOMEM;
                return nullptr;
            }
            return by_libc(hub, what, o, [&]() -> Entry* { return fill(*own, ask); });
        },
        original);
}

} // namespace

// clang-format off

// A function with a static result, and one that takes its memory from the caller.
#define TENDRIL_LOOK_UP(name, Entry, parameters, ...)                                              \
    Entry* name parameters noexcept {                                                              \
        struct tag;                                                                                \
        return find<Entry, tag>(                                                                   \
            tendril_shim_index_##name, #name,                                                      \
            [&](Entry* entry, char* buffer, size_t room, Entry** result) {                         \
                return libc.name##_r(__VA_ARGS__, entry, buffer, room, result);                    \
            },                                                                                     \
            [&] { return libc.name(__VA_ARGS__); });                                               \
    }
#define TENDRIL_LOOK_UP_R(name, parameters, arguments)                                             \
    int name parameters noexcept {                                                                 \
        return serve(                                                                              \
            tendril_shim_index_##name,                                                             \
            [&](hub_core& hub, io::options& o) {                                                   \
                return by_libc(hub, #name, o, [&] { return libc.name arguments; });                \
            },                                                                                     \
            [&] { return libc.name arguments; });                                                  \
    }

// --- users and groups ----------------------------------------------------------------------------
TENDRIL_LOOK_UP(getpwnam, passwd, (const char* name), name)
TENDRIL_LOOK_UP(getpwuid, passwd, (uid_t id), id)
TENDRIL_LOOK_UP(getgrnam, group, (const char* name), name)
TENDRIL_LOOK_UP(getgrgid, group, (gid_t id), id)
TENDRIL_LOOK_UP(getspnam, spwd, (const char* name), name)

TENDRIL_LOOK_UP_R(getpwnam_r,
    (const char* name, struct passwd* entry, char* buffer, size_t room, struct passwd** result),
    (name, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getpwuid_r,
    (uid_t id, struct passwd* entry, char* buffer, size_t room, struct passwd** result),
    (id, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getgrnam_r,
    (const char* name, struct group* entry, char* buffer, size_t room, struct group** result),
    (name, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getgrgid_r,
    (gid_t id, struct group* entry, char* buffer, size_t room, struct group** result),
    (id, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getspnam_r,
    (const char* name, struct spwd* entry, char* buffer, size_t room, struct spwd** result),
    (name, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getgrouplist,
    (const char* user, gid_t first, gid_t* groups, int* count),
    (user, first, groups, count))
TENDRIL_LOOK_UP_R(initgroups,
    (const char* user, gid_t first),
    (user, first))
TENDRIL_LOOK_UP_R(innetgr,
    (const char* group, const char* host, const char* user, const char* domain),
    (group, host, user, domain))

// --- services, protocols, networks ---------------------------------------------------------------
TENDRIL_LOOK_UP(getservbyname, servent, (const char* name, const char* protocol), name, protocol)
TENDRIL_LOOK_UP(getservbyport, servent, (int port, const char* protocol), port, protocol)
TENDRIL_LOOK_UP(getprotobyname, protoent, (const char* name), name)
TENDRIL_LOOK_UP(getprotobynumber, protoent, (int number), number)

TENDRIL_LOOK_UP_R(getservbyname_r,
    (const char* name, const char* protocol, struct servent* entry, char* buffer, size_t room, struct servent** result),
    (name, protocol, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getservbyport_r,
    (int port, const char* protocol, struct servent* entry, char* buffer, size_t room, struct servent** result),
    (port, protocol, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getprotobyname_r,
    (const char* name, struct protoent* entry, char* buffer, size_t room, struct protoent** result),
    (name, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getprotobynumber_r,
    (int number, struct protoent* entry, char* buffer, size_t room, struct protoent** result),
    (number, entry, buffer, room, result))
TENDRIL_LOOK_UP_R(getnetbyname_r,
    (const char* name, struct netent* entry, char* buffer, size_t room, struct netent** result, int* error),
    (name, entry, buffer, room, result, error))
TENDRIL_LOOK_UP_R(getnetbyaddr_r,
    (uint32_t network, int type, struct netent* entry, char* buffer, size_t room, struct netent** result, int* error),
    (network, type, entry, buffer, room, result, error))

// clang-format on

namespace {

/// Beside the result these have an h_errno, which the static forms store.
template <typename Ask>
int with_h_errno(Ask ask) noexcept {
    int h_error = 0;
    const int code = ask(&h_error);
    if (h_error != 0) {
        h_errno = h_error;
    }
    return code == ERANGE && h_error != NETDB_INTERNAL ? 0 : code;
}

} // namespace

struct netent* getnetbyname(const char* name) noexcept {
    struct tag;
    return find<netent, tag>(
        tendril_shim_index_getnetbyname, "getnetbyname",
        [&](netent* entry, char* buffer, size_t room, netent** result) {
            return with_h_errno([&](int* error) {
                return libc.getnetbyname_r(name, entry, buffer, room, result, error);
            });
        },
        [&] { return libc.getnetbyname(name); });
}

struct netent* getnetbyaddr(uint32_t network, int type) noexcept {
    struct tag;
    return find<netent, tag>(
        tendril_shim_index_getnetbyaddr, "getnetbyaddr",
        [&](netent* entry, char* buffer, size_t room, netent** result) {
            return with_h_errno([&](int* error) {
                return libc.getnetbyaddr_r(network, type, entry, buffer, room, result, error);
            });
        },
        [&] { return libc.getnetbyaddr(network, type); });
}

} // namespace tendril::detail::shim::ops
