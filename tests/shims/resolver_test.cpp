// SPDX-License-Identifier: BSL-1.0
// resolver(3) and getaddrinfo_a(3) in fibers, with the shim preloaded, beside libc's own on a
// thread without a hub: the same answers from the same servers.
#include "lib/dns/glibc_comparison.hpp"

#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace tendril_test {
namespace {

using tendril::spawn;

class resolver : public glibc_comparison {
protected:
    /// What a program sees of a question: result, errors, the answer without its id.
    struct seen {
        int result = 0, error = 0, h_error = 0;
        std::string answer;
        bool operator==(const seen& o) const {
            return result == o.result && error == o.error && h_error == o.h_error &&
                   answer == o.answer;
        }
    };
    using question = std::function<int(u_char*, int)>;

    static seen ask(const question& q, int room) {
        std::string answer(static_cast<std::size_t>(room), '\7');
        errno = ENOTTY;
        h_errno = 0;
        const int result = q(reinterpret_cast<u_char*>(answer.data()), room);
        const seen s{result, result < 0 ? errno : 0, h_errno, {}};
        if (result > 2) {
            answer.replace(0, 2, "id");
            answer.resize(static_cast<std::size_t>(std::min(room, result)));
        }
        return {s.result, s.error, s.h_error, result < 0 ? "" : answer};
    }

    static void compare_question(const std::string& what, const question& q, int room = 4096) {
        seen mine, libcs;
        bool others_ran = false;
        auto f = spawn([&] { mine = ask(q, room); });
        auto other = spawn([&] { others_ran = !f.ready(); });
        f.join();
        other.join();
        std::thread([&] { libcs = ask(q, room); }).join();
        EXPECT_TRUE(others_ran) << what;
        EXPECT_TRUE(mine == libcs)
            << what << ": " << mine.result << " " << mine.error << " " << mine.h_error
            << ", libc: " << libcs.result << " " << libcs.error << " " << libcs.h_error;
    }
};

TEST_F(resolver, answers_as_libc_does) {
    use("nameserver 127.0.0.1\nsearch two.test\noptions attempts:1 timeout:1\n");
    for (const char* name :
         {"v4.test", "v6.test", "both.test", "alias.test", "many.test", "nx.test", "nodata.test",
          "servfail.test", "refused.test", "www", "", "cut.test"}) {
        for (const int type : {int{ns_t_a}, int{ns_t_aaaa}, int{ns_t_mx}, int{ns_t_txt}}) {
            const std::string what = std::string(name) + " " + std::to_string(type);
            compare_question(what + " query", [&](u_char* a, int n) {
                return res_query(name, ns_c_in, type, a, n);
            });
            compare_question(what + " search", [&](u_char* a, int n) {
                return res_search(name, ns_c_in, type, a, n);
            });
        }
    }
    compare_question("domain", [](u_char* a, int n) {
        return res_querydomain("www", "two.test", ns_c_in, ns_t_a, a, n);
    });
    compare_question(
        "little room",
        [](u_char* a, int n) { return res_query("many.test", ns_c_in, ns_t_a, a, n); }, 40);
    compare_question("send", [](u_char* a, int n) {
        u_char message[512];
        const int size = res_mkquery(ns_o_query, "both.test", ns_c_in, ns_t_a, nullptr, 0, nullptr,
                                     message, sizeof message);
        return res_send(message, size, a, n);
    });
}

TEST_F(resolver, asks_as_the_program_set_it) {
    use("nameserver 127.0.0.3\noptions attempts:1 timeout:1\n"); // which refuses
    const auto set = [](res_state state) {
        ASSERT_EQ(res_ninit(state), 0);
        inet_pton(AF_INET, "127.0.0.2", &state->nsaddr_list[0].sin_addr);
        state->nscount = 1;
        state->options |= RES_USEVC;
        std::strcpy(state->defdname, "two.test");
        state->dnsrch[0] = state->defdname;
        state->dnsrch[1] = nullptr;
    };
    compare_question("a state of its own", [&](u_char* a, int n) {
        struct __res_state state {};
        set(&state);
        const int result = res_nsearch(&state, "www", ns_c_in, ns_t_a, a, n);
        EXPECT_EQ(state.res_h_errno, h_errno);
        res_nclose(&state);
        return result;
    });
    EXPECT_FALSE(second().take_seen().empty());
    // The thread's, which all of its fibers share.
    set(&_res);
    auto f = spawn([&] {
        u_char a[512];
        EXPECT_GT(res_query("v4.test", ns_c_in, ns_t_a, a, sizeof a), 0);
    });
    f.join();
    EXPECT_TRUE(first().take_seen().empty());
    const auto questions = second().take_seen();
    ASSERT_EQ(questions.size(), 1U);
    EXPECT_TRUE(questions[0].tcp);
    res_nclose(&_res);
    res_init();
}

TEST_F(resolver, hears_of_a_new_resolv_conf) {
    use("nameserver 127.0.0.3\noptions attempts:1 timeout:1\n"); // which refuses
    res_init();
    use("nameserver 127.0.0.1\noptions attempts:1 timeout:30\n");
    auto f = spawn([&] {
        u_char a[512];
        EXPECT_GT(res_query("v4.test", ns_c_in, ns_t_a, a, sizeof a), 0);
    });
    auto beside = spawn([] {}); // or libc would be called at once
    f.join();
    beside.join();
}

TEST_F(resolver, lets_many_questions_wait_at_once_and_gives_them_up) {
    use("nameserver 127.0.0.1\noptions attempts:1 timeout:30\n");
    first().set_script([](const dns_question&) {
        dns_answer none;
        none.silent = true;
        return none;
    });
    int error = 0, h_error = 0;
    auto f = spawn([&] {
        u_char answer[512];
        EXPECT_EQ(res_query("silent.test", ns_c_in, ns_t_a, answer, sizeof answer), -1);
        error = errno;
        h_error = h_errno;
    });
    while (first().seen().empty()) {
        tendril::this_fiber::yield();
    }
    f.cancel();
    f.join();
    EXPECT_EQ(error, ECANCELED);
    EXPECT_EQ(h_error, TRY_AGAIN);
}

TEST_F(resolver, lists_of_requests_are_answered_by_libc) {
    use("nameserver 127.0.0.1\noptions attempts:1\n");
    auto f = spawn([&] {
        gaicb first_one{}, second_one{};
        first_one.ar_name = "v4.test";
        second_one.ar_name = "nx.test";
        gaicb* list[] = {&first_one, nullptr, &second_one};
        EXPECT_EQ(getaddrinfo_a(GAI_WAIT, list, 3, nullptr), 0);
        EXPECT_EQ(gai_error(&first_one), 0);
        EXPECT_EQ(gai_error(&second_one), EAI_NONAME);
        freeaddrinfo(first_one.ar_result);
        EXPECT_EQ(getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr), 0);
        int code = 0;
        while ((code = gai_suspend(list, 1, nullptr)) == 0 &&
               gai_error(&first_one) == EAI_INPROGRESS) {
        }
        EXPECT_TRUE(code == 0 || code == EAI_ALLDONE) << code;
        EXPECT_EQ(gai_error(&first_one), 0);
        freeaddrinfo(first_one.ar_result);
    });
    bool others_ran = false;
    auto other = spawn([&] { others_ran = !f.ready(); });
    f.join();
    other.join();
    EXPECT_TRUE(others_ran);
}

} // namespace
} // namespace tendril_test
