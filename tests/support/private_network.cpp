// SPDX-License-Identifier: BSL-1.0
#include "support/private_network.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <system_error>

namespace tendril_test {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void write_file(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        fail("write " + path);
    }
    ::close(fd);
}

void unshare_all() {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) == 0) {
        return;
    }
    const std::string uid = std::to_string(geteuid());
    const std::string gid = std::to_string(getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) {
        fail("unshare");
    }
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + uid + " 1");
    write_file("/proc/self/gid_map", "0 " + gid + " 1");
}

template <typename Request>
void control(int fd, unsigned long code, Request& request, const char* what) {
    if (::ioctl(fd, code, &request) != 0) {
        fail(what);
    }
}

sockaddr ipv4(const char* text) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    inet_pton(AF_INET, text, &a.sin_addr);
    sockaddr out;
    std::memcpy(&out, &a, sizeof out);
    return out;
}

/// Whether a packet to this address would leave from that one.
bool leaves_from(const in6_addr& source, const char* to) {
    const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_port = htons(9);
    inet_pton(AF_INET6, to, &a.sin6_addr);
    socklen_t size = sizeof a;
    auto* any = reinterpret_cast<sockaddr*>(&a);
    const bool connected = ::connect(fd, any, size) == 0 && ::getsockname(fd, any, &size) == 0;
    ::close(fd);
    return connected && std::memcmp(&a.sin6_addr, &source, sizeof source) == 0;
}

void bring_up_loopback() {
    const int v4 = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int v6 = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq r{};
    std::strcpy(r.ifr_name, "lo");
    r.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
    control(v4, SIOCSIFFLAGS, r, "lo up");
    std::strcpy(r.ifr_name, "lo:1");
    r.ifr_addr = ipv4("192.0.2.2");
    control(v4, SIOCSIFADDR, r, "lo:1 192.0.2.2");
    r.ifr_netmask = ipv4("255.255.255.0");
    control(v4, SIOCSIFNETMASK, r, "lo:1 netmask");
    in6_ifreq six{};
    six.ifr6_ifindex = static_cast<int>(if_nametoindex("lo"));
    six.ifr6_prefixlen = 64;
    inet_pton(AF_INET6, "2001:db8::2", &six.ifr6_addr);
    control(v6, SIOCSIFADDR, six, "lo 2001:db8::2");
    // The kernel makes an IPv6 address usable in its own time.
    while (!leaves_from(six.ifr6_addr, "2001:db8::11")) {
        ::sched_yield();
    }
    ::close(v4);
    ::close(v6);
}

} // namespace

std::string enter_private_network() {
    try {
        unshare_all();
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
            fail("mount / private");
        }
        bring_up_loopback();
        for (const char* name : {"hosts", "resolv.conf", "nsswitch.conf", "host.conf"}) {
            struct stat st;
            if (::stat((std::string("/etc/") + name).c_str(), &st) != 0) {
                return std::string("there is no /etc/") + name + " to lay another file over";
            }
        }
        replace_in_etc("host.conf", "multi on\n");
    } catch (const std::exception& e) {
        return std::string("no namespaces of our own: ") + e.what();
    }
    return {};
}

void replace_in_etc(const std::string& name, const std::string& text) {
    char path[] = "/tmp/tendril_etc_XXXXXX";
    const int fd = ::mkstemp(path);
    if (fd < 0) {
        fail("mkstemp");
    }
    ::fchmod(fd, 0644);
    ::close(fd);
    write_file(path, text);
    const std::string target = "/etc/" + name;
    // A file without a name, as the last one is, cannot be mounted over.
    static std::set<std::string> replaced;
    if (!replaced.insert(name).second && ::umount2(target.c_str(), MNT_DETACH) != 0) {
        fail("unmount " + target);
    }
    const bool mounted = ::mount(path, target.c_str(), nullptr, MS_BIND, nullptr) == 0;
    const int error = errno;
    ::unlink(path);
    if (!mounted) {
        errno = error;
        fail("mount over " + target);
    }
}

} // namespace tendril_test
