// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/dns_message.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <queue>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tendril_test {

/// What the server does with one question.
struct dns_answer {
    int rcode = dns_rcode::noerror;
    std::vector<dns_record> records{};
    std::chrono::milliseconds delay{0};

    bool silent = false;          ///< no answer at all
    bool truncated = false;       ///< over UDP: TC set and no records; over TCP: the records
    bool forged_id = false;       ///< an answer with another id comes first
    bool forged_question = false; ///< an answer to another question comes first
    bool garbage = false;         ///< random bytes come first
    bool runt = false;            ///< five bytes come first
    bool only_garbage = false;    ///< nothing follows what comes first
    bool header_only = false;     ///< twelve bytes, without the question
    bool broken_records = false;  ///< the record count promises more than there is
    bool authoritative = true;
    bool recursion = true;
    bool close_tcp = false; ///< the connection is closed in place of an answer
};

/// A scriptable DNS server, UDP and TCP, in a plain thread of its own that never uses Tendril.
class dns_server {
public:
    /// Called on the server's thread.
    using script = std::function<dns_answer(const dns_question&)>;

    /// Port 0 takes a free one.
    explicit dns_server(script s, const std::string& address = "127.0.0.1", std::uint16_t port = 0)
        : script_(std::move(s)) {
        open(address, port);
        stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        thread_ = std::thread([this] { serve(); });
    }

    ~dns_server() { stop(); }
    dns_server(const dns_server&) = delete;
    dns_server& operator=(const dns_server&) = delete;

    std::uint16_t port() const noexcept { return port_; }

    /// "127.0.0.1:5353", as TENDRIL_NAMESERVERS takes it.
    std::string endpoint() const { return address_ + ":" + std::to_string(port_); }

    /// All questions so far, in the order of arrival.
    std::vector<dns_question> seen() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }

    /// Forgets and returns them.
    std::vector<dns_question> take_seen() {
        const std::lock_guard lock(mutex_);
        return std::exchange(seen_, {});
    }

    void set_script(script s) {
        const std::lock_guard lock(mutex_);
        script_ = std::move(s);
    }

    void stop() {
        if (thread_.joinable()) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto n = ::write(stop_, &one, sizeof one);
            thread_.join();
            for (const int fd : {udp_, tcp_, stop_}) {
                ::close(fd);
            }
        }
    }

private:
    using clock = std::chrono::steady_clock;

    struct connection {
        int fd;
        dns_bytes in;
    };

    struct pending {
        clock::time_point due;
        std::uint64_t order;
        std::vector<dns_bytes> messages;
        sockaddr_storage to;
        socklen_t to_size;
        int tcp; ///< -1: over UDP
        bool close_tcp;

        bool operator<(const pending& o) const {
            return due != o.due ? due > o.due : order > o.order;
        }
    };

    [[noreturn]] static void fail(const char* what) {
        throw std::system_error(errno, std::generic_category(), what);
    }

    void open(const std::string& address, std::uint16_t port) {
        address_ = address;
        sockaddr_storage ss{};
        socklen_t size = sizeof(sockaddr_in);
        auto* v4 = reinterpret_cast<sockaddr_in*>(&ss);
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&ss);
        if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
            v4->sin_family = AF_INET;
        } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
            v6->sin6_family = AF_INET6;
            size = sizeof(sockaddr_in6);
            address_ = "[" + address + "]";
        } else {
            throw std::invalid_argument(address);
        }
        // A free UDP port may be taken over TCP, so try some.
        for (int attempt = 0;; ++attempt) {
            v4->sin_port = htons(port);
            udp_ = make_socket(ss, size, SOCK_DGRAM);
            if (udp_ < 0) {
                fail("dns_server: bind UDP");
            }
            socklen_t got = sizeof ss;
            getsockname(udp_, reinterpret_cast<sockaddr*>(&ss), &got);
            port_ = ntohs(v4->sin_port); // at the same place in both families
            tcp_ = make_socket(ss, size, SOCK_STREAM);
            if (tcp_ >= 0) {
                break;
            }
            ::close(udp_);
            if (port != 0 || attempt == 100) {
                fail("dns_server: bind TCP");
            }
        }
        if (listen(tcp_, 128) != 0) {
            fail("dns_server: listen");
        }
    }

    static int make_socket(const sockaddr_storage& ss, socklen_t size, int type) {
        const int fd = socket(ss.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;
        if (type == SOCK_STREAM) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        } else {
            // A burst of questions must not be lost at our end; FORCE needs a capability.
            const int bytes = 8 << 20;
            if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
            }
        }
        if (bind(fd, reinterpret_cast<const sockaddr*>(&ss), size) != 0) {
            const int error = errno;
            ::close(fd);
            errno = error;
            return -1;
        }
        return fd;
    }

    void serve() {
        for (;;) {
            std::vector<pollfd> fds{{stop_, POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
            for (const connection& c : connections_) {
                fds.push_back({c.fd, POLLIN, 0});
            }
            timespec wait{};
            const timespec* timeout = nullptr;
            if (!queue_.empty()) {
                const auto left =
                    std::max(queue_.top().due - clock::now(), clock::duration::zero());
                const auto ns = std::chrono::nanoseconds(left).count();
                wait = {static_cast<time_t>(ns / 1000000000), static_cast<long>(ns % 1000000000)};
                timeout = &wait;
            }
            ppoll(fds.data(), fds.size(), timeout, nullptr);
            if (fds[0].revents != 0) {
                break;
            }
            send_due();
            if (fds[1].revents != 0) {
                read_datagrams();
            }
            if (fds[2].revents != 0) {
                const int fd = accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd >= 0) {
                    connections_.push_back({fd, {}});
                }
            }
            for (std::size_t i = 3; i < fds.size(); ++i) {
                if (fds[i].revents != 0) {
                    read_stream(fds[i].fd);
                }
            }
            send_due();
        }
        for (const connection& c : connections_) {
            ::close(c.fd);
        }
    }

    void read_datagrams() {
        std::uint8_t buffer[4096];
        for (;;) {
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            const ssize_t n =
                recvfrom(udp_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
            if (n < 0) {
                return;
            }
            answer(buffer, static_cast<std::size_t>(n), from, size, -1);
        }
    }

    void read_stream(int fd) {
        const auto c = std::find_if(connections_.begin(), connections_.end(),
                                    [fd](const connection& x) { return x.fd == fd; });
        if (c == connections_.end()) {
            return;
        }
        std::uint8_t buffer[4096];
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) {
                ::close(fd);
                connections_.erase(c);
            }
            return;
        }
        c->in.insert(c->in.end(), buffer, buffer + n);
        while (c->in.size() >= 2) {
            const std::size_t length = static_cast<std::size_t>(c->in[0] << 8 | c->in[1]);
            if (c->in.size() < length + 2) {
                return;
            }
            answer(c->in.data() + 2, length, {}, 0, fd);
            c->in.erase(c->in.begin(), c->in.begin() + static_cast<std::ptrdiff_t>(length + 2));
        }
    }

    void answer(const std::uint8_t* p, std::size_t size, const sockaddr_storage& from,
                socklen_t from_size, int tcp) {
        auto question = read_question(p, size);
        if (!question) {
            return;
        }
        question->tcp = tcp >= 0;
        question->source_port = ntohs(reinterpret_cast<const sockaddr_in*>(&from)->sin_port);
        script s;
        {
            const std::lock_guard lock(mutex_);
            seen_.push_back(*question);
            s = script_;
        }
        const dns_answer a = s(*question);
        if (a.silent) {
            return;
        }
        queue_.push({clock::now() + a.delay, order_++, messages(*question, a), from, from_size, tcp,
                     a.close_tcp && tcp >= 0});
    }

    static std::vector<dns_bytes> messages(const dns_question& q, const dns_answer& a) {
        std::vector<dns_bytes> out;
        if (a.forged_id) {
            dns_question other = q;
            other.id = static_cast<std::uint16_t>(q.id + 1);
            out.push_back(message(other, a));
        }
        if (a.forged_question) {
            dns_question other = q;
            other.name = "not.what.you.asked";
            out.push_back(message(other, a));
        }
        if (a.garbage) {
            dns_bytes noise;
            for (unsigned i = 0; i < 200; ++i) {
                noise.push_back(static_cast<std::uint8_t>(i * 167 + 13));
            }
            noise[0] = static_cast<std::uint8_t>(q.id >> 8);
            noise[1] = static_cast<std::uint8_t>(q.id);
            out.push_back(std::move(noise));
        }
        if (a.runt) {
            out.push_back(dns_bytes(5, 0));
        }
        if (!a.only_garbage) {
            out.push_back(message(q, a));
        }
        return out;
    }

    static dns_bytes message(const dns_question& q, const dns_answer& a) {
        const bool cut = a.truncated && !q.tcp;
        const std::size_t count = cut || a.header_only ? 0 : a.records.size();
        dns_bytes m;
        put16(m, q.id);
        put16(m, 0x8100u | (a.authoritative ? 0x400u : 0u) | (cut ? 0x200u : 0u) |
                     (a.recursion ? 0x80u : 0u) | static_cast<unsigned>(a.rcode));
        put16(m, a.header_only ? 0 : 1);
        put16(m, static_cast<unsigned>(count + (a.broken_records ? 3 : 0)));
        put16(m, 0);
        put16(m, 0);
        if (!a.header_only) {
            put_name(m, q.name);
            put16(m, q.type);
            put16(m, 1);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const dns_record& r = a.records[i];
            put_name(m, r.name);
            put16(m, r.type);
            put16(m, r.rclass);
            put32(m, r.ttl);
            put16(m, static_cast<unsigned>(r.data.size()));
            m.insert(m.end(), r.data.begin(), r.data.end());
        }
        return m;
    }

    void send_due() {
        const auto now = clock::now();
        while (!queue_.empty() && queue_.top().due <= now) {
            const pending& p = queue_.top();
            for (const dns_bytes& m : p.messages) {
                if (p.tcp < 0) {
                    sendto(udp_, m.data(), m.size(), 0, reinterpret_cast<const sockaddr*>(&p.to),
                           p.to_size);
                } else if (!p.close_tcp) {
                    dns_bytes framed;
                    put16(framed, static_cast<unsigned>(m.size()));
                    framed.insert(framed.end(), m.begin(), m.end());
                    send(p.tcp, framed.data(), framed.size(), MSG_NOSIGNAL);
                }
            }
            if (p.close_tcp) {
                shutdown(p.tcp, SHUT_RDWR);
            }
            queue_.pop();
        }
    }

    mutable std::mutex mutex_;
    script script_;
    std::vector<dns_question> seen_;

    std::string address_;
    std::uint16_t port_ = 0;
    int udp_ = -1;
    int tcp_ = -1;
    int stop_ = -1;
    std::uint64_t order_ = 0;
    std::list<connection> connections_;
    std::priority_queue<pending> queue_;
    std::thread thread_;
};

/// Answers from a list of records: NXDOMAIN for unknown names, no records for unknown types;
/// follows its own CNAMEs as a recursive server does.
class dns_zone {
public:
    dns_zone& add(dns_record r) {
        records_[dns_question{r.name, 0, 0, false, false, 0}.lower()].push_back(std::move(r));
        return *this;
    }
    dns_zone& address(const std::string& name, const std::string& text) {
        return add(address_record(name, text));
    }
    dns_zone& alias(const std::string& name, const std::string& target) {
        return add(cname_record(name, target));
    }

    dns_answer operator()(const dns_question& q) const {
        dns_answer a;
        std::string name = q.lower();
        a.rcode = records_.count(name) != 0 ? dns_rcode::noerror : dns_rcode::nxdomain;
        for (int hops = 0; hops < 8; ++hops) {
            const auto found = records_.find(name);
            if (found == records_.end()) {
                break;
            }
            std::string next;
            for (const dns_record& r : found->second) {
                if (r.type == q.type) {
                    a.records.push_back(r);
                } else if (r.type == dns_type::cname) {
                    a.records.push_back(r);
                    next = target_of(r);
                }
            }
            if (next.empty()) {
                break;
            }
            name = next;
        }
        return a;
    }

private:
    static std::string target_of(const dns_record& r) {
        std::string out;
        for (std::size_t at = 0; at < r.data.size() && r.data[at] != 0; at += r.data[at] + 1u) {
            out += out.empty() ? "" : ".";
            out.append(reinterpret_cast<const char*>(&r.data[at + 1]), r.data[at]);
        }
        return dns_question{out, 0, 0, false, false, 0}.lower();
    }

    std::map<std::string, std::vector<dns_record>> records_;
};

} // namespace tendril_test
