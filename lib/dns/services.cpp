// SPDX-License-Identifier: BSL-1.0
#include "dns/services.hpp"

#include "dns/config_file.hpp"
#include "hub/foreign_call.hpp"

#include <cerrno>
#include <map>
#include <mutex>
#include <netdb.h>
#include <system_error>
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

/// Calls libc with a buffer that grows as it asks. Throws when it could not look, so that this is
/// not remembered as an answer.
template <typename Call>
const servent* call_with_buffer(servent& entry, std::vector<char>& buffer, Call call) {
    const foreign_call_guard guard;
    servent* found = nullptr;
    buffer.resize(1024);
    int error = 0;
    while ((error = call(entry, buffer, &found)) == ERANGE && buffer.size() < (1u << 20)) {
        buffer.resize(buffer.size() * 2);
    }
    if (error == EMFILE || error == ENFILE || error == ENOMEM) {
        throw std::system_error(error, std::system_category(), "services");
    }
    return found;
}

} // namespace

std::optional<std::uint16_t> service_port(const std::string& name, const char* protocol) {
    memory& m = remembered();
    const std::lock_guard lock(config_mutex());
    m.check();
    if (const auto at = m.ports.find({name, protocol}); at != m.ports.end()) {
        return at->second;
    }
    servent entry;
    std::vector<char> buffer;
    const servent* s = call_with_buffer(entry, buffer, [&](servent& e, auto& b, servent** f) {
        return getservbyname_r(name.c_str(), protocol, &e, b.data(), b.size(), f);
    });
    std::optional<std::uint16_t> port;
    if (s != nullptr) {
        port = static_cast<std::uint16_t>(s->s_port);
    }
    m.ports.emplace(std::pair(name, protocol), port);
    return port;
}

std::optional<std::string> service_name(std::uint16_t port, const char* protocol) {
    memory& m = remembered();
    const std::lock_guard lock(config_mutex());
    m.check();
    if (const auto at = m.names.find({port, protocol}); at != m.names.end()) {
        return at->second;
    }
    servent entry;
    std::vector<char> buffer;
    const servent* s = call_with_buffer(entry, buffer, [&](servent& e, auto& b, servent** f) {
        return getservbyport_r(port, protocol, &e, b.data(), b.size(), f);
    });
    std::optional<std::string> name;
    if (s != nullptr) {
        name = s->s_name;
    }
    m.names.emplace(std::pair(port, protocol), name);
    return name;
}

} // namespace tendril::detail::dns
