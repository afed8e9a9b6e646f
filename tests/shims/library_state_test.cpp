// SPDX-License-Identifier: BSL-1.0
// What libraries keep per thread is each fiber's own, with the shim preloaded: texts and entries of
// libc's, its current locale, OpenSSL's errors, and what others register.
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>
#include <tendril/thread_state.hpp>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <netdb.h>
#include <pwd.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using tendril::spawn;
namespace this_fiber = tendril::this_fiber;

/// Two fibers call it in turn; what the first got must outlast the second's call.
template <typename Call>
void keeps_apart(const char* what, Call call) {
    for (int i = 0; i < 2; ++i) {
        spawn([=] {
            const char* const mine = call(i);
            ASSERT_NE(mine, nullptr) << what;
            const std::string first = mine;
            spawn([=] { EXPECT_NE(call(7), nullptr); }).join();
            EXPECT_EQ(mine, first) << what;
        }).join();
    }
}

TEST(library_state, texts_are_each_fibers_own) {
    keeps_apart("strerror", [](int i) { return strerror(9000 + i); });
    keeps_apart("strsignal", [](int i) { return strsignal(900 + i); });
    keeps_apart("inet_ntoa", [](int i) { return inet_ntoa({htonl(0x7f000001U + unsigned(i))}); });
    keeps_apart("getservbyport", [](int i) {
        const servent* const s = getservbyport(htons(i == 7 ? 80 : 22), "tcp");
        return s == nullptr ? "not in this system's list" : s->s_name;
    });
    keeps_apart("getpwuid", [](int i) {
        const passwd* const p = getpwuid(i == 7 ? 1 : 0);
        return p == nullptr ? "none" : p->pw_name;
    });
}

TEST(library_state, a_locale_from_before_the_hub_is_the_main_fibers) {
    std::thread([] {
        const locale_t c = newlocale(LC_ALL_MASK, "C", nullptr);
        uselocale(c);
        spawn([] { EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE); }).join();
        EXPECT_EQ(uselocale(nullptr), c);
        uselocale(LC_GLOBAL_LOCALE);
        freelocale(c);
    }).join();
}

TEST(library_state, a_locale_stays_with_its_fiber) {
    const locale_t c = newlocale(LC_ALL_MASK, "C", nullptr);
    auto f = spawn([&] {
        EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE);
        EXPECT_EQ(uselocale(c), LC_GLOBAL_LOCALE);
        this_fiber::yield();
        EXPECT_EQ(uselocale(nullptr), c);
    });
    auto other = spawn([] {
        EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE);
        this_fiber::yield();
        EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE);
    });
    this_fiber::yield();
    EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE);
    f.join();
    other.join();
    spawn([] { EXPECT_EQ(uselocale(nullptr), LC_GLOBAL_LOCALE); }).join();
    freelocale(c);
}

thread_local int value = 0; // of a library; 0 is none

struct count {
    int dropped = 0;
    static void* take(void*) {
        return reinterpret_cast<void*>(std::intptr_t{std::exchange(value, 0)});
    }
    static void give(void*, void* state) {
        EXPECT_EQ(value, 0);
        value = static_cast<int>(reinterpret_cast<std::intptr_t>(state));
    }
    static void drop(void* context, void* state) {
        EXPECT_NE(state, nullptr);
        ++static_cast<count*>(context)->dropped;
    }
};

TEST(library_state, what_is_registered_goes_with_its_fiber) {
    std::thread([] { // whose hub ends with it
        count counted;
        value = 100;
        auto before = spawn([] {
            this_fiber::yield(); // it began before anything was registered
            EXPECT_EQ(value, 0);
            value = 5;
            this_fiber::yield();
            EXPECT_EQ(value, 5);
        });
        value = 100; // nothing is registered: so far all share it
        this_fiber::yield();
        value = 100;
        const tendril::thread_state state{&count::take, &count::give, &count::drop, &counted};
        EXPECT_TRUE(tendril::keep_per_fiber(state));
        EXPECT_FALSE(tendril::keep_per_fiber(state));
        std::vector<tendril::fiber<void>> fibers;
        for (int i = 1; i <= 200; ++i) { // some begin on the stack of one that has ended
            fibers.push_back(spawn([i] {
                EXPECT_EQ(value, 0);
                value = i;
                for (int round = 0; round < i % 4; ++round) {
                    errno = i;
                    this_fiber::yield();
                    EXPECT_EQ(value, i);
                    EXPECT_EQ(errno, i);
                }
                if (i % 5 == 0) {
                    value = 0; // nothing to drop
                }
            }));
        }
        this_fiber::yield();
        EXPECT_EQ(value, 100);
        for (auto& f : fibers) {
            f.join();
            EXPECT_EQ(value, 100);
        }
        before.join();
        EXPECT_EQ(value, 100);
        EXPECT_EQ(counted.dropped, 161); // 160, and the one from before
    })
        .join();
}

/// A listener and a connection to it, as a program with TLS begins.
struct connection {
    connection() {
        sockaddr_in a{};
        socklen_t size = sizeof a;
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* const to = reinterpret_cast<sockaddr*>(&a);
        listener = socket(AF_INET, SOCK_STREAM, 0);
        client = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_EQ(bind(listener, to, size), 0);
        EXPECT_EQ(listen(listener, 1), 0);
        EXPECT_EQ(getsockname(listener, to, &size), 0);
        EXPECT_EQ(connect(client, to, size), 0);
        server = accept(listener, nullptr, nullptr);
    }
    ~connection() {
        for (const int fd : {listener, client, server}) {
            close(fd);
        }
    }
    int listener, client, server;
};

struct openssl {
    void* library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    template <typename Function>
    Function* get(const char* name) const {
        void* const found = dlsym(library, name);
        EXPECT_NE(found, nullptr) << name;
        return reinterpret_cast<Function*>(found);
    }
};

TEST(library_state, openssl_errors_stay_with_their_fiber) {
    spawn([] {}).join(); // the hub is there before the library
    const openssl ssl;
    if (ssl.library == nullptr) {
        GTEST_SKIP() << "no OpenSSL 3 is installed";
    }
    auto* const peek = ssl.get<unsigned long()>("ERR_peek_error");
    auto* const next = ssl.get<unsigned long()>("ERR_get_error");
    auto* const method = ssl.get<const void*()>("TLS_client_method");
    auto* const context = ssl.get<void*(const void*)>("SSL_CTX_new");
    auto* const make = ssl.get<void*(void*)>("SSL_new");
    auto* const set_fd = ssl.get<int(void*, int)>("SSL_set_fd");
    auto* const shake_hands = ssl.get<int(void*)>("SSL_connect");
    auto* const free_ssl = ssl.get<void(void*)>("SSL_free");
    auto* const free_context = ssl.get<void(void*)>("SSL_CTX_free");

    bool failed = false, looked = false;
    auto a = spawn([&] {
        const connection c;
        void* const settings = context(method());
        void* const s = make(settings);
        set_fd(s, c.client);
        EXPECT_EQ(write(c.server, "this is no TLS at all", 21), 21);
        EXPECT_LE(shake_hands(s), 0);
        failed = true;
        while (!looked) {
            this_fiber::yield();
        }
        EXPECT_NE(peek(), 0U);
        while (next() != 0) {
        }
        free_ssl(s);
        free_context(settings);
    });
    auto b = spawn([&] {
        while (!failed) {
            usleep(100);
        }
        EXPECT_EQ(peek(), 0U);
        looked = true;
    });
    a.join();
    b.join();
    EXPECT_EQ(peek(), 0U);
    EXPECT_TRUE(tendril::keep_openssl_errors_per_fiber());
    // Fibers that leave errors behind leave them to nobody.
    auto* const begin = ssl.get<void()>("ERR_new");
    auto* const set = ssl.get<void(int, int, const char*, ...)>("ERR_set_error");
    for (int i = 0; i < 100; ++i) {
        spawn([&] {
            EXPECT_EQ(peek(), 0U);
            begin();
            set(20, 100, nullptr);
            EXPECT_NE(peek(), 0U);
            this_fiber::yield();
            EXPECT_NE(peek(), 0U);
        }).join();
    }
    std::thread([&] {
        EXPECT_EQ(peek(), 0U);
        EXPECT_TRUE(tendril::keep_openssl_errors_per_fiber());
        spawn([&] { EXPECT_EQ(peek(), 0U); }).join();
    }).join();
}

} // namespace
