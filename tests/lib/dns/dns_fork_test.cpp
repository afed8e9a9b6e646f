// SPDX-License-Identifier: BSL-1.0
// The parent's questions and worker threads are not the child's. ThreadSanitizer takes no threads
// after a fork.
#include "lib/dns/resolve_fixture.hpp"
#include "offload/offload.hpp"

#include <tendril/fiber.hpp>

#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <thread>

namespace tendril_test {
namespace {

TEST_F(resolve, fork_leaves_the_questions_to_the_parent) {
    std::atomic<bool> release{false};
    server_->set_script([&](const dns_question& q) {
        while (q.lower() == "both.test" && !release) {
            std::this_thread::yield();
        }
        return q.lower() == "child.test"
                   ? dns_answer{.records = {address_record(q.name, "192.0.2.30")}}
                   : zone_(q);
    });
    auto pending = tendril::spawn([] { return texts(dns::resolve("both.test", "80", plain)); });
    tendril::this_fiber::yield();
    dns::options four = plain;
    four.family = dns::family::ipv4;
    const pid_t child = ::fork();
    if (child == 0) {
        // The server's thread holds the parent's question, and answers the child after that.
        const bool good = texts(dns::resolve("child.test", "80", four)) == strings{"192.0.2.30:80"};
        ::_exit(good ? 0 : 1);
    }
    release = true;
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    EXPECT_EQ((strings{"192.0.2.1:80", "[2001:db8::1]:80"}), pending.get());
    int both = 0;
    for (const dns_question& q : server_->seen()) {
        both += q.lower() == "both.test" ? 1 : 0;
    }
    EXPECT_EQ(2, both) << "the child repeated the parent's questions";
}

TEST(offload, works_in_the_child_of_a_fork) {
    const auto once = [] {
        return *tendril::detail::offload_with(std::make_shared<int>(0),
                                              [](int& x) noexcept { x = 1; },
                                              {tendril::detail::wait_kind::other, "offload"})
                    .second;
    };
    EXPECT_EQ(1, once());
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(once() == 1 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
}

} // namespace
} // namespace tendril_test
