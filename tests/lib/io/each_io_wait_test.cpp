// SPDX-License-Identifier: BSL-1.0
// A fiber is cancelled, or its time is over, at each of its waits in turn, for I/O and names: no
// byte and no datagram is lost or doubled, no fd is left open, and all goes on as before.
#include <tendril/tendril.hpp>

#include "lib/dns/resolve_fixture.hpp"
#include "support/injection.hpp"
#include "support/open_fds.hpp"
#include "support/scratch_folder.hpp"
#include "support/sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

namespace tendril::test {
namespace {

using detail::hub_core;
using std::chrono::milliseconds;
using tendril_test::open_fds;
using this_fiber::yield;

constexpr unsigned seeds = sanitized ? 50 : 1'000;

/// The hub of this thread, with real fds.
struct real_hub {
    hub_core& operator*() const { return hub_core::current(); }
    hub_core* operator->() const { return &hub_core::current(); }
};

void in_each_run(ending how, unsigned number_of_seeds,
                 const std::function<void(injection&)>& scenario) {
    const auto make_hub = [] { return real_hub(); };
    // What is opened once for all stays open: by the scenario, and by the hub when it first waits.
    end_at_each_wait(how, 0, make_hub, scenario);
    const fd_pair silent = unix_pair();
    pollfd nothing{silent.a, POLLIN, 0};
    EXPECT_EQ(io::poll(&nothing, 1, milliseconds(1)), 0);
    const int before = open_fds();
    const int waits = end_at_each_wait(how, number_of_seeds, make_hub, scenario);
    EXPECT_TRUE(waits > 0 || testing::Test::HasFailure()) << "the scenario tests nothing";
    EXPECT_EQ(open_fds(), before);
}

class EachIoWait : public testing::TestWithParam<ending> {
protected:
    static void in_each_run(const std::function<void(injection&)>& scenario) {
        test::in_each_run(GetParam(), seeds, scenario);
    }
};

INSTANTIATE_TEST_SUITE_P(By, EachIoWait, testing::Values(ending::cancel, ending::timeout), name_of);

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + i * 7 % 26 + i / 4096 % 3);
    }
    return text;
}

/// Reads on until the end, or until `enough`.
void read_on(int fd, std::string& got, std::size_t enough = std::string::npos) {
    std::array<char, 4096> buffer;
    while (got.size() < enough) {
        const std::size_t n = io::read(fd, buffer.data(), buffer.size());
        if (n == 0) {
            return;
        }
        got.append(buffer.data(), n);
    }
}

TEST_P(EachIoWait, OfAReader) {
    in_each_run([](injection& i) {
        fd_pair pair = unix_pair();
        const std::string all = pattern(6);
        fiber<void> writes = spawn([&] {
            for (const char c : all) {
                io::write(pair.a, &c, 1);
                yield();
                yield();
            }
            pair.a.reset();
        });
        std::string got;
        i.run([&] { read_on(pair.b, got); });
        read_on(pair.b, got);
        EXPECT_EQ(got, all);
        writes.join();
    });
}

/// What was written before is not undone, and the call says how much that was, in place of the
/// exception, which then is the next wait's.
TEST_P(EachIoWait, OfAWriter) {
    in_each_run([](injection& i) {
        fd_pair pair = unix_pair();
        const int small = 4096;
        check(::setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "SO_SNDBUF");
        const std::string all = pattern(std::size_t{128} << 10);
        std::string got;
        fiber<void> reads = spawn([&] { read_on(pair.b, got); });
        std::size_t sent = 0;
        const auto write_on = [&] {
            while (sent < all.size()) {
                const std::size_t part = std::min(all.size() - sent, std::size_t{40'000});
                sent += io::write(pair.a, all.data() + sent, part);
            }
        };
        i.run(write_on);
        write_on();
        pair.a.reset();
        reads.join();
        EXPECT_TRUE(got == all) << got.size() << " of " << all.size();
    });
}

TEST_P(EachIoWait, OfOneWhoSendsAFile) {
    const tendril_test::scratch_folder folder;
    const std::string path = folder.path() + "/file";
    const std::string all = pattern(std::size_t{128} << 10);
    {
        const owned_fd file(
            check(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), "open"));
        ASSERT_EQ(::write(file, all.data(), all.size()), static_cast<ssize_t>(all.size()));
    }
    in_each_run([&](injection& i) {
        fd_pair pair = unix_pair();
        const owned_fd file(check(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open"));
        const int small = 4096;
        check(::setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "SO_SNDBUF");
        check(::fcntl(pair.a, F_SETFL, O_NONBLOCK), "fcntl");
        std::string got;
        fiber<void> reads = spawn([&] { read_on(pair.b, got); });
        off_t at = 0;
        const auto send_on = [&] {
            while (at < static_cast<off_t>(all.size())) {
                io::sendfile(pair.a, file, &at, all.size());
            }
        };
        i.run(send_on);
        send_on();
        pair.a.reset();
        reads.join();
        EXPECT_TRUE(got == all) << got.size() << " of " << all.size();
    });
}

TEST_P(EachIoWait, OfOneWhoReceivesMessages) {
    in_each_run([](injection& i) {
        fd_pair pair = unix_pair(SOCK_DGRAM);
        constexpr int count = 6;
        fiber<void> sends = spawn([&] {
            for (char n = 0; n < count; ++n) {
                io::send(pair.a, &n, 1);
                yield();
                yield();
            }
        });
        std::string got;
        const auto receive_on = [&] {
            while (got.size() < count) {
                std::array<char, 3> bytes{};
                std::array<iovec, 3> buffers;
                std::array<mmsghdr, 3> messages{};
                for (std::size_t n = 0; n < 3; ++n) {
                    buffers[n] = {&bytes[n], 1};
                    messages[n].msg_hdr.msg_iov = &buffers[n];
                    messages[n].msg_hdr.msg_iovlen = 1;
                }
                const auto wanted =
                    static_cast<unsigned>(std::min<std::size_t>(3, count - got.size()));
                got.append(bytes.data(), io::recvmmsg(pair.b, messages.data(), wanted));
            }
        };
        i.run(receive_on);
        receive_on();
        EXPECT_EQ(got, std::string("\0\1\2\3\4\5", 6));
        sends.join();
    });
}

TEST_P(EachIoWait, OfOneWhoPolls) {
    in_each_run([](injection& i) {
        std::vector<fd_pair> pairs;
        std::vector<pollfd> polled;
        for (int n = 0; n < 6; ++n) { // more than are kept on the stack
            pairs.push_back(unix_pair());
            polled.push_back({pairs.back().a, POLLIN, 0});
        }
        fiber<void> writes = spawn([&] {
            for (const fd_pair& p : pairs) {
                yield();
                io::write(p.b, "x", 1);
            }
        });
        const auto read_all = [&] {
            for (std::size_t left = polled.size(); left > 0; left -= 1) {
                EXPECT_GE(io::poll(polled.data(), polled.size()), 1);
                const auto ready = std::find_if(polled.begin(), polled.end(),
                                                [](const pollfd& p) { return p.revents != 0; });
                char byte = 0;
                EXPECT_EQ(io::read(ready->fd, &byte, 1), 1u);
                ready->fd = -1;
                if (std::all_of(polled.begin(), polled.end(),
                                [](const pollfd& p) { return p.fd < 0; })) {
                    return;
                }
            }
        };
        i.run(read_all);
        writes.join();
        int left = 0;
        for (const pollfd& p : polled) { // each is readable, or was read
            char byte = 0;
            left += p.fd >= 0 && ::recv(p.fd, &byte, 1, MSG_DONTWAIT) == 1 ? 1 : 0;
        }
        EXPECT_EQ(left, std::count_if(polled.begin(), polled.end(),
                                      [](const pollfd& p) { return p.fd >= 0; }));
    });
}

TEST_P(EachIoWait, OfOneWhoAccepts) {
    in_each_run([](injection& i) {
        net::tcp_listener listener = net::tcp_listener::listen("127.0.0.1:0");
        constexpr int count = 3;
        std::vector<net::tcp_stream> clients;
        fiber<void> connects = spawn([&] {
            for (int n = 0; n < count; ++n) {
                yield();
                clients.push_back(net::tcp_stream::connect(listener.local()));
                reset_when_closed(clients.back().native_handle());
            }
        });
        std::vector<net::tcp_stream> accepted;
        const auto accept_on = [&] {
            while (accepted.size() < count) {
                accepted.push_back(listener.accept());
            }
        };
        i.run(accept_on);
        accept_on();
        connects.join();
        for (int n = 0; n < count; ++n) { // each client has its own
            char got = 0;
            const char sent = static_cast<char>('0' + n);
            clients[static_cast<std::size_t>(n)].write_all(&sent, 1);
            accepted[static_cast<std::size_t>(n)].read_exactly(&got, 1);
            EXPECT_EQ(got, sent);
        }
    });
}

/// On a listener that blocks, where a worker or io_uring does the call.
TEST_P(EachIoWait, OfOneWhoAcceptsFromABlockingListener) {
    in_each_run([](injection& i) {
        const owned_fd listener = tcp_listener();
        const sockaddr_in to = local_address(listener);
        owned_fd client;
        fiber<void> connects = spawn([&] {
            yield();
            client.reset(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
            reset_when_closed(client);
            io::connect(client, as_sockaddr(to), sizeof to);
        });
        owned_fd accepted;
        const auto accept = [&] {
            if (accepted < 0) {
                accepted.reset(io::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
            }
        };
        i.run(accept);
        accept();
        connects.join();
        EXPECT_EQ(io::write(client, "x", 1), 1u);
        char byte = 0;
        EXPECT_EQ(io::read(accepted, &byte, 1), 1u);
    });
}

/// To where nobody answers: the listener's queue is full.
TEST_P(EachIoWait, OfOneWhoConnects) {
    const owned_fd listener = tcp_listener(0);
    const sockaddr_in to = local_address(listener);
    const owned_fd first(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    check(::connect(first, as_sockaddr(to), sizeof to), "connect");
    const std::string endpoint = "127.0.0.1:" + std::to_string(ntohs(to.sin_port));
    test::in_each_run(GetParam(), seeds / 10, [&](injection& i) {
        i.run([&] {
            const owned_fd socket(
                check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
            const auto attempt = [](auto connect) {
                try {
                    connect(milliseconds(3));
                } catch (const std::system_error& e) {
                    EXPECT_EQ(e.code().value(), ETIMEDOUT) << e.what();
                }
            };
            attempt([&](auto limit) { io::connect(socket, as_sockaddr(to), sizeof to, limit); });
            EXPECT_EQ(::fcntl(socket, F_GETFL) & O_NONBLOCK, 0);
            attempt([&](auto limit) { net::tcp_stream::connect(endpoint, limit); });
        });
    });
}

/// As it looks from C: an error instead of an exception, and the next wait fails too.
TEST_P(EachIoWait, OfCodeThatSeesErrors) {
    in_each_run([](injection& i) {
        fd_pair pair = unix_pair();
        int errors = 0;
        i.run([&] {
            detail::io::options o;
            char byte = 0;
            for (int n = 0; n < 3; ++n) {
                o.deadline = hub_core::current().now() + milliseconds(1);
                const ssize_t r = detail::io::read(pair.a, &byte, 1, o);
                EXPECT_TRUE(r == -ETIMEDOUT || (r == -ECANCELED && i.injected())) << r;
                errors += r == -ECANCELED ? 1 : 0;
                EXPECT_TRUE(errors == 0 || r == -ECANCELED) << "it went on after it was ended";
            }
        });
        EXPECT_EQ(errors > 0, i.injected());
    });
}

class EachNameWait : public tendril_test::resolve, public testing::WithParamInterface<ending> {};

INSTANTIATE_TEST_SUITE_P(By, EachNameWait, testing::Values(ending::cancel, ending::timeout),
                         name_of);

TEST_P(EachNameWait, OfOneWhoResolves) {
    tendril_test::dns::resolve("both.test", "80", tendril_test::plain); // the channel's fds stay
    test::in_each_run(GetParam(), seeds / 10, [&](injection& i) {
        fiber<tendril_test::strings> beside =
            spawn([] { return texts(dns::resolve("alias.test", "80", tendril_test::plain)); });
        i.run([] {
            EXPECT_EQ(texts(dns::resolve("both.test", "80", tendril_test::plain)).size(), 2u);
            EXPECT_EQ(texts(dns::resolve("alias.test", "80", tendril_test::plain)).size(), 2u);
        });
        EXPECT_EQ(beside.get().size(), 2u);
        EXPECT_EQ(texts(dns::resolve("both.test", "80", tendril_test::plain)).size(), 2u);
    });
}

} // namespace
} // namespace tendril::test
