// SPDX-License-Identifier: BSL-1.0
#include "dns/services.hpp"

#include "dns/config_file.hpp"
#include "hub/foreign_call.hpp"

#include <cerrno>
#include <map>
#include <mutex>
#include <netdb.h>
#include <utility>
#include <vector>

namespace tendril::detail::dns {

namespace {

constexpr std::size_t most_remembered = 4096;

struct memory {
    file_identity services;
    file_identity nsswitch;
    std::map<std::pair<std::string, std::string>, std::optional<std::uint16_t>> ports;
    std::map<std::pair<std::uint16_t, std::string>, std::optional<std::string>> names;

    void check() {
        const file_identity s = file_identity::of("/etc/services");
        const file_identity n = file_identity::of("/etc/nsswitch.conf");
        if (!s.same(services) || !n.same(nsswitch) ||
            ports.size() + names.size() > most_remembered) {
            services = s;
            nsswitch = n;
            ports.clear();
            names.clear();
        }
    }
};

memory& remembered() {
    static memory& m = *new memory;
    return m;
}

/// Calls libc with a buffer that grows as it asks.
template <typename Call>
const servent* call_with_buffer(servent& entry, std::vector<char>& buffer, Call call) {
    const foreign_call_guard guard;
    servent* found = nullptr;
    buffer.resize(1024);
    while (call(entry, buffer, &found) == ERANGE && buffer.size() < (1u << 20)) {
        buffer.resize(buffer.size() * 2);
    }
    return found;
}

} // namespace

std::optional<std::uint16_t> service_port(const std::string& name, const char* protocol) {
    memory& m = remembered();
    const std::lock_guard lock(config_mutex());
    m.check();
    const auto [at, is_new] = m.ports.try_emplace({name, protocol});
    if (is_new) {
        servent entry;
        std::vector<char> buffer;
        const servent* s = call_with_buffer(entry, buffer, [&](servent& e, auto& b, servent** f) {
            return getservbyname_r(name.c_str(), protocol, &e, b.data(), b.size(), f);
        });
        if (s != nullptr) {
            at->second = static_cast<std::uint16_t>(s->s_port);
        }
    }
    return at->second;
}

std::optional<std::string> service_name(std::uint16_t port, const char* protocol) {
    memory& m = remembered();
    const std::lock_guard lock(config_mutex());
    m.check();
    const auto [at, is_new] = m.names.try_emplace({port, protocol});
    if (is_new) {
        servent entry;
        std::vector<char> buffer;
        const servent* s = call_with_buffer(entry, buffer, [&](servent& e, auto& b, servent** f) {
            return getservbyport_r(port, protocol, &e, b.data(), b.size(), f);
        });
        if (s != nullptr) {
            at->second = s->s_name;
        }
    }
    return at->second;
}

} // namespace tendril::detail::dns
