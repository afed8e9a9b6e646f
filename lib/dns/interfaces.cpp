// SPDX-License-Identifier: BSL-1.0
#include "dns/interfaces.hpp"

#include "sys/calls.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

namespace tendril::detail::dns {

namespace {

class netlink_socket {
public:
    netlink_socket()
        : fd_(sys::real.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
    ~netlink_socket() {
        if (fd_ >= 0) {
            sys::real.close(fd_);
        }
    }
    netlink_socket(const netlink_socket&) = delete;
    netlink_socket& operator=(const netlink_socket&) = delete;

    bool request_addresses() {
        struct {
            nlmsghdr header;
            rtgenmsg body;
        } request{};
        request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtgenmsg));
        request.header.nlmsg_type = RTM_GETADDR;
        request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        request.body.rtgen_family = AF_UNSPEC;
        sockaddr_nl kernel{};
        kernel.nl_family = AF_NETLINK;
        return fd_ >= 0 &&
               sys::real.sendto(fd_, &request, request.header.nlmsg_len, 0,
                                reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) > 0;
    }

    /// The kernel queues its answer before sendto and recv return, so this does not wait.
    ssize_t receive(void* buffer, std::size_t size) {
        return sys::real.recv(fd_, buffer, size, MSG_DONTWAIT);
    }

private:
    int fd_;
};

bool read_address(const nlmsghdr* message, interface_address& out) {
    const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(message));
    if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) {
        return false;
    }
    const void* address = nullptr;
    auto left = static_cast<unsigned>(message->nlmsg_len - NLMSG_LENGTH(sizeof *info));
    for (const rtattr* a = IFA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == IFA_ADDRESS || (a->rta_type == IFA_LOCAL && address == nullptr)) {
            address = RTA_DATA(a);
        }
    }
    if (address == nullptr) {
        return false;
    }
    if (info->ifa_family == AF_INET) {
        in_addr v4;
        std::memcpy(&v4, address, sizeof v4);
        out.address = ip_address::v4(v4).mapped();
    } else {
        in6_addr v6;
        std::memcpy(&v6, address, sizeof v6);
        out.address = ip_address::v6(v6);
    }
    out.index = info->ifa_index;
    out.prefix = info->ifa_prefixlen;
    out.deprecated = (info->ifa_flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC)) != 0;
    out.home = (info->ifa_flags & IFA_F_HOMEADDRESS) != 0;
    return true;
}

} // namespace

interface_list interface_list::now() {
    interface_list out;
    netlink_socket kernel;
    const bool asked = kernel.request_addresses();
    bool done = false;
    const ip_address loopback4 = ip_address::v4({htonl(INADDR_LOOPBACK)}).mapped();
    const ip_address loopback6 = ip_address::v6(in6addr_loopback);
    while (asked && !done) {
        alignas(nlmsghdr) char buffer[16384];
        const ssize_t size = kernel.receive(buffer, sizeof buffer);
        if (size <= 0) {
            break;
        }
        auto left = static_cast<unsigned>(size);
        for (auto* m = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(m, left);
             m = NLMSG_NEXT(m, left)) {
            interface_address a;
            if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
                done = true;
            } else if (m->nlmsg_type == RTM_NEWADDR && read_address(m, a)) {
                out.has_ipv4 |= a.address.is_mapped() && a.address != loopback4;
                out.has_ipv6 |= !a.address.is_mapped() && a.address != loopback6;
                out.addresses.push_back(a);
            }
        }
    }
    if (!done) {
        out.has_ipv4 = out.has_ipv6 = true;
    }
    // glibc keeps the list only then; without it, prefixes and interfaces do not count in the sort.
    if (!out.has_ipv6) {
        out.addresses.clear();
    }
    return out;
}

const interface_address* interface_list::find(const ip_address& a) const noexcept {
    const auto found = std::find_if(addresses.begin(), addresses.end(),
                                    [&a](const auto& x) { return x.address.bytes == a.bytes; });
    return found != addresses.end() ? &*found : nullptr;
}

} // namespace tendril::detail::dns
