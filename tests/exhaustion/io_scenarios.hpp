// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/config_file.hpp"
#include "dns/libc_resolver.hpp"
#include "exhaustion/fiber_scenarios.hpp"
#include "shims/ops/operations.hpp"
#include "support/dns_server.hpp"
#include "sys/calls.hpp"

#include <tendril/dns.hpp>
#include <tendril/net.hpp>

#include <fstream>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>

namespace tendril::test::scenarios {

/// Byte by byte there and back; each side ends when the other is gone.
inline void echo_bytes(int fd) {
    char c = 0;
    while (io::read(fd, &c, 1) == 1) {
        io::write(fd, &c, 1);
    }
}

inline void ping_pong(fd_pair pair) {
    crew<2> all;
    all.add([fd = std::move(pair.a)] { echo_bytes(fd); });
    all.add([fd = std::move(pair.b)] {
        for (char c = 'a'; c != 'f'; ++c) {
            char back = 0;
            io::write(fd, &c, 1);
            // The other side may have failed, and be gone.
            require(io::read(fd, &back, 1) == 0 || back == c, "another byte");
        }
    });
    all.end();
}

inline void socket_pair() {
    ping_pong(unix_pair());
}
inline void tcp() {
    ping_pong(tcp_pair());
}

inline void plain_sockets() {
    crew<1> all;
    const owned_fd listener = tcp_listener(); // closed first, which ends the wait
    owned_fd client(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const sockaddr_in to = local_address(listener);
    all.add([fd = static_cast<int>(listener)] {
        owned_fd server(io::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
        io::write(server, "hello", 5);
    });
    this_fiber::sleep_for(100us); // it waits
    io::connect(client, as_sockaddr(to), sizeof to);
    all.end(); // a failure of the acceptor: then nobody would answer
    char text[8];
    const std::size_t n = io::read(client, text, sizeof text);
    require(n == 0 || std::string(text, n) == "hello", "another text");
}

inline void waits_for_many() {
    crew<3> all;
    fd_pair one = unix_pair(); // closed first, which ends all waits
    fd_pair two = pipe_pair();
    const int a = one.a;
    const int b = two.a;
    all.add([a, b] {
        pollfd fds[6] = {{a, POLLIN, 0}, {b, POLLIN, 0}, {-1, 0, 0},
                         {-1, 0, 0},     {-1, 0, 0},     {-1, 0, 0}};
        require(io::poll(fds, 6) >= 1, "no fd is ready");
        pollfd again = fds[0];
        const int n = detail::shim::ops::poll(&again, 1, 1);
        check(n, "poll");
    });
    all.add([b] {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(b, &set);
        require(io::select(b + 1, &set, nullptr, nullptr) == 1, "no fd is ready");
        timeval time{0, 1000};
        FD_SET(b, &set);
        check(detail::shim::ops::select(b + 1, &set, nullptr, nullptr, &time), "select");
    });
    all.add([a] {
        const owned_fd set(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
        epoll_event e{};
        e.events = EPOLLIN;
        check(::epoll_ctl(set, EPOLL_CTL_ADD, a, &e), "epoll_ctl");
        // Another fiber may fail, and close what is in the set: its descriptions end with that.
        check(detail::shim::ops::epoll_wait(set, &e, 1, 2000), "epoll_wait");
    });
    this_fiber::sleep_for(100us);
    io::write(one.b, "x", 1);
    io::write(two.b, "y", 1);
    all.end();
}

/// What closing an fd does to those that wait for it.
inline void close_under_waiters() {
    crew<2> all;
    fd_pair pair = unix_pair();
    const int fd = pair.a;
    for (int i = 0; i < 2; ++i) {
        all.add([fd] {
            char c = 0;
            try {
                io::read(fd, &c, 1);
            } catch (const std::system_error& e) {
                require(e.code().value() == EBADF || e.code().value() == ENOMEM, "another error");
            }
        });
    }
    this_fiber::sleep_for(100us);
    pair.a.reset();
    all.end();
}

// ------------------------------------------------------------------------------------------ names

/// A server and files of our own.
struct names {
    std::string directory;
    tendril_test::dns_zone zone;
    std::unique_ptr<tendril_test::dns_server> server;

    void write(const char* name, const char* text) const {
        std::ofstream(directory + '/' + name) << text;
    }
    ~names() {
        server.reset();
        for (const char* name : {"/nsswitch.conf", "/hosts", "/resolv.conf"}) {
            ::unlink((directory + name).c_str());
        }
        ::rmdir(directory.c_str());
    }
};

inline std::shared_ptr<void> own_names() {
    auto n = std::make_shared<names>();
    n->directory = testing::TempDir() + "tendril_exhaust_" + std::to_string(::getpid());
    ::mkdir(n->directory.c_str(), 0700);
    n->write("nsswitch.conf", "hosts: files dns\n");
    n->write("hosts", "127.0.0.1 hosted.test other.test\n");
    n->write("resolv.conf", "options timeout:1 attempts:1\n");
    n->zone.address("server.test", "127.0.0.1");
    n->zone.address("both.test", "192.0.2.1").address("both.test", "2001:db8::1");
    n->zone.add(tendril_test::ptr_record("1.2.0.192.in-addr.arpa", "both.test"));
    n->server = std::make_unique<tendril_test::dns_server>(n->zone);
    ::setenv("TENDRIL_NAMESERVERS", n->server->endpoint().c_str(), 1);
    detail::dns::config_paths p;
    p.resolv_conf = n->directory + "/resolv.conf";
    p.hosts = n->directory + "/hosts";
    p.nsswitch = n->directory + "/nsswitch.conf";
    detail::dns::set_paths(p);
    return n;
}

/// Answers may be there before anybody waits for them; what a hub makes for its first wait for an
/// fd, and keeps, is to be there after each run.
inline void wait_once() {
    const fd_pair quiet = pipe_pair();
    pollfd p{quiet.a, POLLIN, 0};
    io::poll(&p, 1, 100us);
}

inline void connect_by_name(const char* host) {
    wait_once();
    auto listener = net::tcp_listener::listen("127.0.0.1:0");
    const auto port = std::to_string(ntohs(local_address(listener.native_handle()).sin_port));
    auto client = net::tcp_stream::connect(net::endpoint(host, port));
    auto server = listener.accept();
    server.write_all("hello\n");
    server.close();
    require(client.read_until("\n") == "hello\n", "another text");
}

inline void connect_by_dns() {
    connect_by_name("server.test");
}
inline void connect_by_hosts() {
    connect_by_name("hosted.test");
}

inline void looks_names_up() {
    wait_once();
    dns::options how;
    how.configured = false;
    crew<2> all;
    for (int i = 0; i < 2; ++i) {
        all.add([&] {
            require(dns::resolve("both.test", "80", how).addresses.size() == 2, "other addresses");
        });
    }
    all.end();
    const sockaddr_in known = [] {
        sockaddr_in a = loopback(80);
        ::inet_pton(AF_INET, "192.0.2.1", &a.sin_addr);
        return a;
    }();
    require(dns::reverse({as_sockaddr(known), sizeof known}) == "both.test", "another name");
    try {
        dns::resolve("none.test", "80", how);
        throw wrong("a name that is not there");
    } catch (const std::system_error&) {
    }
}

/// glibc's resolver keeps a lock for ever when its first allocation fails (get_locked_global in
/// resolv/resolv_conf.c, 2.36), so only what is ours around it fails.
inline std::shared_ptr<void> infallible_libc() {
    sys::real.getaddrinfo = [](const char* node, const char* service, const addrinfo* hints,
                               addrinfo** result) {
        const faults::exempt_scope scope;
        return ::getaddrinfo(node, service, hints, result);
    };
    sys::real.gethostbyname2_r = [](const char* name, int family, hostent* entry, char* buffer,
                                    size_t size, hostent** result, int* error) {
        const faults::exempt_scope scope;
        return ::gethostbyname2_r(name, family, entry, buffer, size, result, error);
    };
    return nullptr;
}

inline void libc_s_resolver() {
    addrinfo* list = nullptr;
    const int code =
        detail::dns::libc_getaddrinfo("127.0.0.1", "80", nullptr, &list, detail::never);
    if (code == 0) {
        const faults::exempt_scope scope;
        ::freeaddrinfo(list);
    }
    const auto found = detail::dns::libc_gethostbyname("127.0.0.1", AF_INET, detail::never);
    require(found.h_error != 0 || found.host.addresses.size() == 1, "other addresses");
}

} // namespace tendril::test::scenarios
