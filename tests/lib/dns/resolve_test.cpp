// SPDX-License-Identifier: BSL-1.0
// dns::resolve and its kin from fibers, against a server of our own on a free port.
#include "dns/netdb.hpp"
#include "lib/dns/resolve_fixture.hpp"
#include "support/leaks.hpp"

#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace tendril_test {
namespace {

namespace netdb = tendril::detail::netdb;
using namespace std::chrono_literals;

TEST_F(resolve, names_files_and_numbers) {
    dns::options o = plain;
    o.canonical = true;
    const dns::result r = dns::resolve("alias.test", "http", o);
    EXPECT_EQ((strings{"192.0.2.1:80", "[2001:db8::1]:80"}), texts(r));
    EXPECT_EQ("both.test", r.canonical);
    EXPECT_EQ((strings{"192.0.2.50:0"}), texts(dns::resolve("hosted.test", "", plain)));
    EXPECT_EQ((strings{"127.0.0.1:7"}), texts(dns::resolve("127.1", "7")));
    EXPECT_EQ((strings{"[fe80::1%lo]:7"}), texts(dns::resolve("fe80::1%lo", "7", plain)));
    o = plain;
    o.family = dns::family::ipv6;
    const dns::address six = dns::resolve("both.test", "443", o).addresses.at(0);
    EXPECT_EQ("2001:db8::1", six.host());
    EXPECT_EQ(443, six.port());
    EXPECT_EQ(dns::family::ipv6, six.family());
    EXPECT_EQ(six, dns::address(six.data(), six.size()));
    EXPECT_NE(six, dns::address());
}

TEST_F(resolve, no_host_is_this_one) {
    dns::options o = plain;
    o.family = dns::family::ipv4;
    EXPECT_EQ((strings{"127.0.0.1:80"}), texts(dns::resolve("", "80", o)));
    o.passive = true;
    EXPECT_EQ((strings{"0.0.0.0:0"}), texts(dns::resolve("", "", o)));
}

TEST_F(resolve, errors_have_a_category) {
    EXPECT_EQ(EAI_NONAME, error_of("nx.test"));
    EXPECT_EQ(EAI_NONAME, error_of(std::string(300, 'x')));
    dns::options o = plain;
    o.numeric = true;
    EXPECT_EQ(EAI_NONAME, error_of("both.test", o));
    o = plain;
    o.transport = dns::transport::udp;
    EXPECT_THROW(dns::resolve("127.0.0.1", "nosuchservice", o), std::system_error);
    EXPECT_STREQ("getaddrinfo", dns::error_category().name());
    EXPECT_EQ(gai_strerror(EAI_AGAIN), dns::error_category().message(EAI_AGAIN));
    server_->set_script(
        [](const dns_question&) { return dns_answer{.rcode = dns_rcode::servfail}; });
    EXPECT_EQ(EAI_AGAIN, error_of("both.test"));
}

TEST_F(resolve, reverse) {
    const dns::address a = dns::resolve("192.0.2.1", "80").addresses.at(0);
    EXPECT_EQ("both.test", dns::reverse(a));
    EXPECT_EQ("hosted.test", dns::reverse(dns::resolve("192.0.2.50", "").addresses.at(0)));
    try {
        dns::reverse(dns::resolve("192.0.2.99", "").addresses.at(0));
        FAIL();
    } catch (const std::system_error& e) {
        EXPECT_EQ(std::error_code(EAI_NONAME, dns::error_category()), e.code());
    }
}

TEST_F(resolve, nobody_listens_there) {
    server_->stop();
    EXPECT_EQ(EAI_AGAIN, error_of("both.test"));
}

TEST_F(resolve, other_fibers_run_meanwhile) {
    std::atomic<bool> release{false};
    server_->set_script([&](const dns_question& q) {
        while (!release) { // the answer comes only after the other fiber ran
            std::this_thread::yield();
        }
        return zone_(q);
    });
    auto waits = tendril::spawn([] { return texts(dns::resolve("both.test", "80", plain)); });
    auto runs = tendril::spawn([&] { release = true; });
    EXPECT_EQ((strings{"192.0.2.1:80", "[2001:db8::1]:80"}), waits.get());
    runs.join();
}

TEST_F(resolve, a_thousand_names_at_once) {
    constexpr int count = 1000;
    std::set<std::uint16_t> ports;
    std::mutex mutex;
    std::atomic<int> held{0};
    server_->set_script([&](const dns_question& q) {
        const std::lock_guard lock(mutex);
        ports.insert(q.source_port);
        ++held;
        return dns_answer{.records = {address_record(
                              q.name, q.type == dns_type::a ? "192.0.2.7" : "2001:db8::7")},
                          .delay = 100ms};
    });
    int good = 0;
    for (int i = 0; i < count; ++i) {
        tendril::spawn([&good, i] {
            const auto r = dns::resolve("host" + std::to_string(i) + ".test", "80", plain);
            good += r.addresses.size() == 2 ? 1 : 0;
        });
    }
    tendril::hub::current().drain();
    EXPECT_EQ(count, good);
    EXPECT_EQ(2 * count, held) << "a question was lost and put again";
    EXPECT_GT(ports.size(), 1u);
    EXPECT_EQ(0u, tendril::hub::current().statistics().live);
}

TEST_F(resolve, a_deadline_ends_the_wait_and_nothing_stays) {
    server_->set_script([](const dns_question&) { return dns_answer{.silent = true}; });
    dns::options o = plain;
    o.deadline = std::chrono::steady_clock::now() + 20ms;
    EXPECT_EQ(1000 + ETIMEDOUT, error_of("both.test", o));
    o.deadline = std::chrono::steady_clock::now() - 1s;
    EXPECT_EQ(1000 + ETIMEDOUT, error_of("both.test", o));
    // Nobody waits for these questions any more, so no hidden fiber does.
    tendril::hub::current().drain();
    EXPECT_EQ((strings{"192.0.2.50:0"}), texts(dns::resolve("hosted.test", "", plain)));
}

TEST_F(resolve, an_answer_after_the_deadline_harms_nobody) {
    server_->set_script([&](const dns_question& q) {
        return q.lower() == "late.test"
                   ? dns_answer{.records = {address_record(q.name, "192.0.2.8")}, .delay = 60ms}
                   : dns_answer{.records = {address_record(q.name, "192.0.2.9")}, .delay = 120ms};
    });
    dns::options four = plain;
    four.family = dns::family::ipv4;
    // Both share a channel: the second keeps it open while the first one's answer arrives.
    auto late = tendril::spawn([&] {
        dns::options o = four;
        o.deadline = std::chrono::steady_clock::now() + 1ms;
        return error_of("late.test", o);
    });
    auto other = tendril::spawn([&] { return texts(dns::resolve("other.test", "1", four)); });
    EXPECT_EQ(1000 + ETIMEDOUT, late.get());
    EXPECT_EQ((strings{"192.0.2.9:1"}), other.get());
}

TEST_F(resolve, on_two_hubs) {
    const auto work = [] {
        std::vector<tendril::fiber<strings>> fibers;
        for (int i = 0; i < 20; ++i) {
            fibers.push_back(
                tendril::spawn([] { return texts(dns::resolve("both.test", "80", plain)); }));
        }
        for (auto& f : fibers) {
            EXPECT_EQ((strings{"192.0.2.1:80", "[2001:db8::1]:80"}), f.get());
        }
    };
    std::thread other(work);
    work();
    other.join();
}

TEST_F(resolve, a_thread_that_ends_abandons_its_questions) {
    ::setenv("TENDRIL_EXIT_GRACE_MS", "0", 1);
    server_->set_script([](const dns_question&) { return dns_answer{.silent = true}; });
    testing::internal::CaptureStderr();
    std::thread([] {
        const tendril::detail::lost_on_purpose abandoned;
        tendril::spawn([] { dns::resolve("both.test", "80", plain); }).detach();
        tendril::this_fiber::yield();
    }).join();
    testing::internal::GetCapturedStderr(); // it says that a fiber was abandoned
    server_->set_script(zone_);
    EXPECT_EQ((strings{"192.0.2.1:80", "[2001:db8::1]:80"}),
              texts(dns::resolve("both.test", "80", plain)));
}

TEST_F(resolve, each_fiber_has_its_own_static_hostent) {
    const auto look = [](const char* name) {
        netdb::options o;
        return netdb::gethostbyname(name, o);
    };
    const hostent* mine = look("hosted.test");
    ASSERT_NE(nullptr, mine);
    auto other = tendril::spawn([&] {
        const hostent* theirs = look("both.test");
        ASSERT_NE(nullptr, theirs);
        EXPECT_STREQ("both.test", theirs->h_name);
        EXPECT_NE(mine, theirs);
    });
    other.join();
    EXPECT_STREQ("hosted.test", mine->h_name);
    EXPECT_EQ(nullptr, look("nx.test"));
    EXPECT_EQ(HOST_NOT_FOUND, h_errno);
}

TEST_F(resolve, each_fiber_has_its_own_h_errno) {
    const auto look = [](const char* name) {
        netdb::options o;
        return netdb::gethostbyname(name, o);
    };
    EXPECT_EQ(nullptr, look("nx.test"));
    tendril::spawn([&] {
        EXPECT_EQ(0, h_errno) << "another fiber's";
        EXPECT_EQ(nullptr, look("1.2.0.192.in-addr.arpa")); // which has no address
        EXPECT_EQ(NO_DATA, h_errno);
        tendril::spawn([] { EXPECT_EQ(0, h_errno); }).join();
        EXPECT_EQ(NO_DATA, h_errno);
    }).join();
    EXPECT_EQ(HOST_NOT_FOUND, h_errno);
    EXPECT_NE(nullptr, look("hosted.test"));
}

TEST_F(resolve, a_source_that_only_libc_has_is_asked_on_a_thread) {
    write("nsswitch.conf", "hosts: nosuchmodule files dns\n");
    use_server("");
    // libc reads the system's own files, so only what is everywhere can be asked for.
    netdb::options o;
    addrinfo* list = nullptr;
    EXPECT_EQ(0, netdb::getaddrinfo("localhost", "80", nullptr, &list, o));
    EXPECT_TRUE(o.waited);
    netdb::freeaddrinfo(list);
}

} // namespace
} // namespace tendril_test
