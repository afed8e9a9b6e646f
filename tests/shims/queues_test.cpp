// SPDX-License-Identifier: BSL-1.0
// Queues, semaphores, requests and pipes joined to each other, in fibers, with the shim preloaded:
// each waits while others run, and can be given up where its page says so.
#include "support/scratch_folder.hpp"

#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <aio.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace {

using tendril::spawn;
namespace this_fiber = tendril::this_fiber;

struct letter {
    long type;
    char text[8];
};

struct one_call {
    std::string name;
    std::function<long()> call; ///< waits
    std::function<void()> let_go;
    long expected;
};

class queues : public testing::Test {
protected:
    void SetUp() override {
        mq_attr shape{};
        shape.mq_maxmsg = 1;
        shape.mq_msgsize = sizeof text_;
        const std::string name = "/tendril-test-" + std::to_string(getpid());
        queue_ = mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &shape);
        ASSERT_NE(queue_, -1) << std::strerror(errno);
        mq_unlink(name.c_str());
        letters_ = msgget(IPC_PRIVATE, 0600);
        semaphores_ = semget(IPC_PRIVATE, 1, 0600);
        ASSERT_GE(letters_, 0);
        ASSERT_GE(semaphores_, 0);
        ASSERT_EQ(pipe(from_), 0);
        ASSERT_EQ(pipe(to_), 0);
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_), 0);
    }
    void TearDown() override {
        mq_close(queue_);
        msgctl(letters_, IPC_RMID, nullptr);
        semctl(semaphores_, 0, IPC_RMID);
        for (const int fd : {from_[0], from_[1], to_[0], to_[1], pair_[0], pair_[1]}) {
            close(fd);
        }
    }

    std::vector<one_call> calls() {
        const auto post = [this] { mq_send(queue_, "x", 1, 0); };
        const auto put = [this] { EXPECT_EQ(write(from_[1], "abc", 3), 3); };
        return {
            {"mq_receive",
             [this] { return long{mq_receive(queue_, text_, sizeof text_, nullptr)}; }, post, 1},
            {"msgrcv", [this] { return long{msgrcv(letters_, &in_, sizeof in_.text, 0, 0)}; },
             [this] {
                 const letter out{1, "hi"};
                 msgsnd(letters_, &out, 2, 0);
             },
             2},
            {"semop",
             [this] {
                 sembuf down{0, -1, 0};
                 return long{semop(semaphores_, &down, 1)};
             },
             [this] {
                 sembuf up{0, 1, 0};
                 semop(semaphores_, &up, 1);
             },
             0},
            {"splice from a pipe",
             [this] { return long{splice(from_[0], nullptr, pair_[0], nullptr, 100, 0)}; }, put, 3},
            {"splice from a socket",
             [this] { return long{splice(pair_[0], nullptr, to_[1], nullptr, 100, 0)}; },
             [this] { EXPECT_EQ(write(pair_[1], "abcd", 4), 4); }, 4},
            {"tee", [this] { return long{tee(from_[0], to_[1], 100, 0)}; }, put, 3},
            {"vmsplice",
             [this] {
                 const iovec part{text_, sizeof text_};
                 return long{vmsplice(from_[0], &part, 1, 0)};
             },
             put, 3},
            {"aio_suspend",
             [this] {
                 aiocb request{};
                 request.aio_fildes = from_[0];
                 request.aio_buf = text_;
                 request.aio_nbytes = 3;
                 const aiocb* const list[] = {&request};
                 EXPECT_EQ(aio_read(&request), 0);
                 const long result = aio_suspend(list, 1, nullptr);
                 if (result != 0) { // libc's thread still has it
                     const int error = errno;
                     EXPECT_EQ(write(from_[1], "end", 3), 3);
                     while (aio_error(&request) == EINPROGRESS) {
                         sched_yield();
                     }
                     errno = error;
                 }
                 return result;
             },
             put, 0},
        };
    }

    void drain() {
        char rest[64];
        for (const int fd : {from_[0], to_[0], pair_[0], pair_[1]}) {
            for (pollfd one{fd, POLLIN, 0};
                 poll(&one, 1, 0) == 1 && read(fd, rest, sizeof rest) > 0;) {
            }
        }
    }

    mqd_t queue_ = -1;
    int letters_ = -1, semaphores_ = -1;
    int from_[2], to_[2], pair_[2];
    char text_[16];
    letter in_{};
};

TEST_F(queues, wait_while_others_run) {
    for (const one_call& c : calls()) {
        SCOPED_TRACE(c.name);
        long result = -2;
        bool begun = false;
        auto waiting = spawn([&] {
            begun = true;
            result = c.call();
        });
        while (!begun) {
            this_fiber::yield();
        }
        EXPECT_FALSE(waiting.ready());
        c.let_go();
        waiting.join();
        EXPECT_EQ(result, c.expected);
        drain();
    }
}

TEST_F(queues, give_up_with_their_fiber) {
    for (const one_call& c : calls()) {
        SCOPED_TRACE(c.name);
        long result = 0;
        int error = 0;
        auto waiting = spawn([&] {
            result = c.call();
            error = errno;
        });
        this_fiber::yield();
        waiting.cancel();
        waiting.join();
        EXPECT_EQ(result, -1);
        EXPECT_EQ(error, ECANCELED);
        // What comes later is still there for another.
        c.let_go();
        EXPECT_EQ(c.call(), c.expected);
        drain();
    }
}

TEST_F(queues, full_ones_wait_for_room) {
    ASSERT_EQ(mq_send(queue_, "first", 6, 0), 0);
    long sent = -1;
    auto sender = spawn([&] { sent = mq_send(queue_, "second", 7, 0); });
    this_fiber::yield();
    EXPECT_FALSE(sender.ready());
    EXPECT_EQ(mq_receive(queue_, text_, sizeof text_, nullptr), 6);
    sender.join();
    EXPECT_EQ(sent, 0);
    EXPECT_EQ(mq_receive(queue_, text_, sizeof text_, nullptr), 7);
    EXPECT_STREQ(text_, "second");
}

TEST_F(queues, every_message_reaches_one_of_many_fibers) {
    int received = 0;
    std::vector<tendril::fiber<void>> readers;
    for (int i = 0; i < 20; ++i) {
        readers.push_back(spawn([&] {
            char text[16];
            ASSERT_EQ(mq_receive(queue_, text, sizeof text, nullptr), 1);
            ++received;
        }));
    }
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(mq_send(queue_, "x", 1, 0), 0);
    }
    for (auto& r : readers) {
        r.join();
    }
    EXPECT_EQ(received, 20);
}

TEST_F(queues, splice_carries_a_stream_through_a_full_socket) {
    // More than all buffers hold, so each end waits for the other again and again.
    constexpr std::size_t size = 4 << 20;
    std::vector<char> sent(size), got(size);
    for (std::size_t i = 0; i < size; ++i) {
        sent[i] = static_cast<char>(i * 7 % 253);
    }
    auto writer = spawn([&] {
        std::size_t n = 0;
        while (n < size) {
            const ssize_t w = write(from_[1], &sent[n], size - n);
            ASSERT_GT(w, 0);
            n += static_cast<std::size_t>(w);
        }
    });
    auto mover = spawn([&] {
        std::size_t n = 0;
        while (n < size) {
            const ssize_t w = splice(from_[0], nullptr, pair_[0], nullptr, size - n, SPLICE_F_MOVE);
            ASSERT_GT(w, 0);
            n += static_cast<std::size_t>(w);
        }
    });
    std::size_t n = 0;
    while (n < size) {
        const ssize_t r = read(pair_[1], &got[n], size - n);
        ASSERT_GT(r, 0);
        n += static_cast<std::size_t>(r);
    }
    EXPECT_TRUE(sent == got);
    writer.join();
    mover.join();
}

} // namespace
