// SPDX-License-Identifier: BSL-1.0
#include "lib/net/net_support.hpp"
#include "support/scratch_folder.hpp"

#include <tendril/fiber.hpp>
#include <tendril/unix_socket.hpp>

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>
#include <type_traits>

namespace {

using namespace std::chrono_literals;
using namespace tendril_test;
using tendril::net::unix_address;
using tendril::net::unix_bind_options;
using tendril::net::unix_datagram;
using tendril::net::unix_listener;
using tendril::net::unix_stream;

static_assert(!std::is_copy_constructible_v<unix_stream> &&
              std::is_nothrow_move_constructible_v<unix_listener> &&
              std::is_nothrow_move_assignable_v<unix_datagram>);

bool exists(const std::string& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

template <typename Receiver>
std::string text_from(Receiver&& receive) {
    char buffer[256];
    return {buffer, receive(buffer, sizeof buffer)};
}

struct unix_sockets : testing::Test {
    scratch_folder folder;
    std::string path = folder.path() + "/socket";
};

// -------------------------------------------------------------------------------------- addresses

TEST(UnixAddress, KeepsPathsAndAbstractNames) {
    const unix_address path("/run/x.sock");
    EXPECT_EQ("/run/x.sock", path.text());
    EXPECT_EQ("/run/x.sock", path.path());
    EXPECT_FALSE(path.abstract());

    const unix_address abstract("@service");
    EXPECT_TRUE(abstract.abstract());
    EXPECT_EQ("@service", abstract.text());
    EXPECT_EQ("", abstract.path());
    EXPECT_NE(abstract, path);

    EXPECT_TRUE(unix_address().unnamed());
    EXPECT_EQ("", unix_address().text());
    EXPECT_EQ(107u, unix_address(std::string(107, 'x')).path().size());
}

TEST(UnixAddress, SaysWhatIsWrong) {
    EXPECT_THROW(unix_address(""), std::invalid_argument);
    EXPECT_THROW(unix_address(std::string("a\0b", 3)), std::invalid_argument);
    const auto error = error_of([] { unix_address(std::string(108, 'x')); });
    EXPECT_EQ(ENAMETOOLONG, error.code().value());
    EXPECT_NE(std::string::npos, std::string(error.what()).find("107 are the most"));
}

// ---------------------------------------------------------------------------------------- streams

TEST_F(unix_sockets, connect_and_talk) {
    auto listener = unix_listener::listen(path);
    auto server = tendril::spawn([&] {
        auto stream = listener.accept();
        stream.write_all("you said " + stream.read_until("\n"));
        return stream.local().text();
    });
    auto client = unix_stream::connect(path);
    EXPECT_EQ(path, client.remote().text());
    client.write_all("hello\n");
    EXPECT_EQ("you said hello\n", client.read_until("\n"));
    EXPECT_EQ(path, server.get());
    EXPECT_EQ(path, listener.local().path());
}

TEST_F(unix_sockets, connect_by_abstract_name) {
    auto listener = unix_listener::listen({}); // the kernel's choice
    EXPECT_TRUE(listener.local().abstract());
    auto client = unix_stream::connect(listener.local());
    auto server = listener.accept();
    server.write_all("x");
    char byte;
    EXPECT_EQ(1u, client.read_some(&byte, 1));
    EXPECT_EQ(EADDRINUSE,
              error_of([&] { unix_listener::listen(listener.local()); }).code().value());
}

TEST(UnixPair, KnowsWhoIsThere) {
    auto [a, b] = unix_stream::pair();
    const auto peer = a.peer_credentials();
    EXPECT_EQ(getpid(), peer.pid);
    EXPECT_EQ(getuid(), peer.uid);
    EXPECT_EQ(getgid(), peer.gid);
    a.shutdown(tendril::net::direction::send);
    char byte;
    EXPECT_EQ(0u, b.read_some(&byte, 1));
    const std::string fd = std::to_string(a.native_handle());
    const auto error = error_of([&, &a = a] { a.read_some(&byte, 1, 1ms); });
    EXPECT_EQ("read fd " + fd + ": Connection timed out", std::string(error.what()));
}

TEST_F(unix_sockets, wait_while_the_queue_is_full) {
    unix_bind_options how;
    how.backlog = 0;
    auto listener = unix_listener::listen(path, how);
    auto first = unix_stream::connect(path);
    EXPECT_EQ(ETIMEDOUT, error_of([&] { unix_stream::connect(path, 5ms); }).code().value());
    auto second = tendril::spawn([&] { return unix_stream::connect(path); });
    tendril::this_fiber::yield();
    auto accepted = listener.accept();
    EXPECT_TRUE(second.get());
}

TEST_F(unix_sockets, say_who_is_not_there) {
    const auto error = error_of([&] { unix_stream::connect(path); });
    EXPECT_EQ(ENOENT, error.code().value());
    EXPECT_EQ("connect " + path + ": No such file or directory", std::string(error.what()));
    auto datagrams = unix_datagram::bind(path);
    EXPECT_EQ(EPROTOTYPE, error_of([&] { unix_stream::connect(path); }).code().value());
    unix_stream none;
    EXPECT_EQ(EBADF, error_of([&] { none.peer_credentials(); }).code().value());
}

TEST(UnixAdopt, TakesOnlyItsKind) {
    const plain_socket tcp("127.0.0.1");
    EXPECT_EQ(EPROTOTYPE, error_of([&] { unix_stream::adopt(tcp.fd()); }).code().value());
    auto [a, b] = unix_datagram::pair();
    EXPECT_EQ(EPROTOTYPE,
              error_of([&, &a = a] { unix_stream::adopt(a.native_handle()); }).code().value());
    EXPECT_EQ(EBADF, error_of([] { unix_datagram::adopt(-1); }).code().value());
    auto adopted = unix_datagram::adopt(a.release());
    adopted.send("x");
    char byte;
    EXPECT_EQ(1u, b.receive(&byte, 1));
}

// ----------------------------------------------------------------------------------- their files

TEST_F(unix_sockets, remove_their_file_when_closed) {
    auto listener = unix_listener::listen(path);
    auto moved = std::move(listener);
    EXPECT_TRUE(exists(path));
    moved.close();
    EXPECT_FALSE(exists(path));
    { auto datagrams = unix_datagram::bind(path); }
    EXPECT_FALSE(exists(path));
}

TEST_F(unix_sockets, keep_their_file_if_told_to_or_released) {
    unix_bind_options how;
    how.keep_file = true;
    unix_listener::listen(path, how).close();
    EXPECT_TRUE(exists(path));
    unlink(path.c_str());
    auto listener = unix_listener::listen(path);
    const int fd = listener.release();
    listener.close();
    EXPECT_TRUE(exists(path));
    close(fd);
}

TEST_F(unix_sockets, leave_the_file_of_others) {
    auto listener = unix_listener::listen(path);
    unlink(path.c_str());
    std::ofstream(path) << "another's";
    listener.close();
    EXPECT_TRUE(exists(path));
}

TEST_F(unix_sockets, leave_the_file_to_the_process_that_made_it) {
    auto listener = unix_listener::listen(path);
    const pid_t child = fork();
    if (child == 0) {
        listener.close();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(0, status);
    EXPECT_TRUE(exists(path));
}

TEST_F(unix_sockets, replace_a_stale_file_only_if_told_to) {
    unix_bind_options keep;
    keep.keep_file = true;
    unix_listener::listen(path, keep).close(); // as a server that crashed leaves it
    const auto error = error_of([&] { unix_listener::listen(path); });
    EXPECT_EQ(EADDRINUSE, error.code().value());
    EXPECT_EQ("listen " + path + ": Address already in use", std::string(error.what()));

    unix_bind_options replace;
    replace.replace_stale = true;
    auto listener = unix_listener::listen(path, replace);
    EXPECT_TRUE(unix_stream::connect(path));
    // One that is alive is none.
    EXPECT_EQ(EADDRINUSE, error_of([&] { unix_listener::listen(path, replace); }).code().value());
    EXPECT_EQ(EADDRINUSE, error_of([&] { unix_datagram::bind(path, replace); }).code().value());
    listener.close();

    std::ofstream(path) << "no socket";
    EXPECT_EQ(EADDRINUSE, error_of([&] { unix_listener::listen(path, replace); }).code().value());
    EXPECT_TRUE(exists(path));
}

// -------------------------------------------------------------------------------------- datagrams

TEST_F(unix_sockets, carry_datagrams) {
    auto server = unix_datagram::bind(path);
    auto client = unix_datagram::bind(folder.path() + "/client");
    client.send_to("hello", path);
    char buffer[64];
    const auto got = server.receive_from(buffer, sizeof buffer);
    EXPECT_EQ(folder.path() + "/client", got.from.text());
    server.send_to(std::string_view(buffer, got.size), got.from);
    EXPECT_EQ("hello", text_from([&](char* b, std::size_t n) { return client.receive(b, n); }));

    client.connect_to(path);
    client.send("again");
    EXPECT_EQ(path, client.remote().text());
    EXPECT_EQ(2u, server.receive_from(buffer, 2).size);
    client.disconnect();

    auto nameless = unix_datagram::open();
    nameless.send_to("who?", path);
    EXPECT_TRUE(server.receive_from(buffer, sizeof buffer).from.unnamed());
}

TEST_F(unix_sockets, wait_while_the_receiver_is_full) {
    auto [a, b] = unix_datagram::pair();
    int sent = 0;
    try {
        for (;; ++sent) {
            a.send("x", 0s);
        }
    } catch (const std::system_error& e) {
        EXPECT_EQ(ETIMEDOUT, e.code().value());
    }
    EXPECT_GT(sent, 0);
    auto sender = tendril::spawn([&a = a] { a.send("last"); });
    tendril::this_fiber::yield();
    std::string got;
    while (got != "last") {
        got = text_from([&b = b](char* to, std::size_t n) { return b.receive(to, n); });
    }
    sender.get();
}

TEST_F(unix_sockets, refuse_what_is_too_long_or_not_there) {
    auto [a, b] = unix_datagram::pair();
    a.set(tendril::net::option::send_buffer, 8192);
    const std::string much(std::size_t{1} << 20, 'x');
    EXPECT_EQ(EMSGSIZE, error_of([&, &a = a] { a.send(much); }).code().value());
    b.close();
    EXPECT_EQ(ECONNREFUSED, error_of([&a = a] { a.send("x"); }).code().value());
    const auto error = error_of([&] { unix_datagram::open().send_to("x", path); });
    EXPECT_EQ("send to " + path + ": No such file or directory", std::string(error.what()));
}

} // namespace
