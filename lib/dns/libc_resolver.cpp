// SPDX-License-Identifier: BSL-1.0
#include "dns/libc_resolver.hpp"

#include "dns/mode.hpp"
#include "hub/foreign_call.hpp"
#include "offload/offload.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace tendril::detail::dns {

namespace {

/// Everything that a call needs and gives, owned by whoever still wants it.
struct address_call {
    std::optional<std::string> node;
    std::optional<std::string> service;
    std::optional<addrinfo> hints;
    addrinfo* result = nullptr;
    int code = EAI_SYSTEM;
    int error = ECANCELED;

    ~address_call() {
        if (result != nullptr) {
            sys::real.freeaddrinfo(result);
        }
    }

    void run() noexcept {
        const foreign_call_guard guard;
        code = sys::real.getaddrinfo(node ? node->c_str() : nullptr,
                                     service ? service->c_str() : nullptr,
                                     hints ? &*hints : nullptr, &result);
        error = errno;
        if (code != 0) {
            result = nullptr;
        }
    }
};

struct name_call {
    sockaddr_storage address{};
    socklen_t size = 0;
    std::vector<char> host;
    std::vector<char> service;
    int flags = 0;
    int code = EAI_SYSTEM;
    int error = ECANCELED;

    void run() noexcept {
        const foreign_call_guard guard;
        code = sys::real.getnameinfo(
            reinterpret_cast<const sockaddr*>(&address), size, host.empty() ? nullptr : host.data(),
            static_cast<socklen_t>(host.size()), service.empty() ? nullptr : service.data(),
            static_cast<socklen_t>(service.size()), flags);
        error = errno;
    }
};

struct host_call {
    std::string name;   ///< by name, or
    ip_address address; ///< by address
    int family = AF_INET;
    host_result result;

    void run() noexcept {
        const foreign_call_guard guard;
        try {
            ask();
        } catch (const std::bad_alloc&) {
            result = {};
            result.h_error = NETDB_INTERNAL;
            result.error = ENOMEM;
        }
    }

    void ask() {
        hostent entry;
        hostent* found = nullptr;
        int h_error = 0;
        int code;
        std::vector<char> buffer(1024);
        for (;;) {
            code = name.empty()
                       ? sys::real.gethostbyaddr_r(
                             address.bytes.data(), static_cast<socklen_t>(address.size()), family,
                             &entry, buffer.data(), buffer.size(), &found, &h_error)
                       : sys::real.gethostbyname2_r(name.c_str(), family, &entry, buffer.data(),
                                                    buffer.size(), &found, &h_error);
            if (code != ERANGE || h_error != NETDB_INTERNAL || buffer.size() > (8u << 20)) {
                break;
            }
            buffer.resize(buffer.size() * 2);
        }
        result.h_error = h_error;
        result.error = code;
        if (found == nullptr) {
            const bool again = code != 0 && h_error == TRY_AGAIN;
            const source_status other =
                again ? source_status::try_again : source_status::unavailable;
            result.status = code == 0 ? source_status::not_found : other;
            return;
        }
        result.status = source_status::success;
        result.h_error = 0;
        result.host = copy(*found);
    }

    static host_entry copy(const hostent& h) {
        host_entry out;
        out.name = h.h_name;
        for (char** a = h.h_aliases; *a != nullptr; ++a) {
            out.aliases.emplace_back(*a);
        }
        for (char** a = h.h_addr_list; *a != nullptr; ++a) {
            ip_address address;
            address.family = h.h_addrtype;
            std::memcpy(address.bytes.data(), *a, address.size());
            out.addresses.push_back(address);
        }
        return out;
    }
};

/// Runs it where the mode says; how the wait for it ended.
template <typename Call>
std::pair<wake, std::shared_ptr<Call>> run(std::shared_ptr<Call> call, time_point deadline) {
    if (mode() == resolver_mode::block) {
        call->run();
        return {wake::ready, std::move(call)};
    }
    return offload_with(
        std::move(call), [](Call& c) noexcept { c.run(); }, {wait_kind::dns, "dns by libc"},
        deadline);
}

int errno_of(wake end) {
    return end == wake::timeout ? ETIMEDOUT : ECANCELED;
}

host_result run_host(std::shared_ptr<host_call> call, time_point deadline) {
    const auto [end, done] = run(std::move(call), deadline);
    if (end == wake::ready) {
        return std::move(done->result);
    }
    host_result r;
    r.h_error = NETDB_INTERNAL;
    r.error = errno_of(end);
    return r;
}

} // namespace

int libc_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                     addrinfo** result, time_point deadline) {
    auto call = std::make_shared<address_call>();
    if (node != nullptr) {
        call->node = node;
    }
    if (service != nullptr) {
        call->service = service;
    }
    if (hints != nullptr) {
        call->hints = *hints;
    }
    const auto [end, done] = run(std::move(call), deadline);
    if (end != wake::ready) {
        errno = errno_of(end);
        return EAI_SYSTEM;
    }
    errno = done->error;
    if (done->code == 0) {
        *result = std::exchange(done->result, nullptr);
    }
    return done->code;
}

int libc_getnameinfo(const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                     char* service, socklen_t service_size, int flags, time_point deadline) {
    auto call = std::make_shared<name_call>();
    call->size = size < sizeof call->address ? size : static_cast<socklen_t>(sizeof call->address);
    std::memcpy(&call->address, address, call->size);
    call->host.resize(host != nullptr ? host_size : 0);
    call->service.resize(service != nullptr ? service_size : 0);
    call->flags = flags;
    const auto [end, done] = run(std::move(call), deadline);
    if (end != wake::ready) {
        errno = errno_of(end);
        return EAI_SYSTEM;
    }
    errno = done->error;
    if (!done->host.empty()) {
        std::memcpy(host, done->host.data(), done->host.size());
    }
    if (!done->service.empty()) {
        std::memcpy(service, done->service.data(), done->service.size());
    }
    return done->code;
}

host_result libc_gethostbyname(const std::string& name, int family, time_point deadline) {
    auto call = std::make_shared<host_call>();
    call->name = name;
    call->family = family;
    return run_host(std::move(call), deadline);
}

host_result libc_gethostbyaddr(const ip_address& address, time_point deadline) {
    auto call = std::make_shared<host_call>();
    call->address = address;
    call->family = address.family;
    return run_host(std::move(call), deadline);
}

} // namespace tendril::detail::dns
