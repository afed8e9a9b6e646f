// SPDX-License-Identifier: BSL-1.0
// Files, FIFOs and locks in fibers, with the shim preloaded.
#include "support/parked.hpp"
#include "support/scratch_folder.hpp"

#include <tendril/cancel.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using tendril::spawn;
using tendril_test::parked;
namespace this_fiber = tendril::this_fiber;

class files : public testing::Test {
protected:
    std::string path(const char* name) const { return folder_.path() + "/" + name; }

private:
    tendril_test::scratch_folder folder_;
};

int error_of(int result) {
    return result < 0 ? errno : 0;
}

TEST_F(files, of_disks_let_others_run) {
    // What is written is read again, while a fiber that never waits goes round.
    const std::string name = path("data");
    bool done = false;
    int rounds = 0;
    auto other = spawn([&] {
        while (!done) {
            ++rounds;
            this_fiber::yield();
        }
    });
    std::string text(1 << 20, 'x');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i % 251);
    }
    const int fd = open(name.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    const int before = rounds;
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(fsync(fd), 0);
    EXPECT_GT(rounds, before);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    std::string found(text.size() + 10, '\0');
    EXPECT_EQ(pread(fd, found.data(), found.size(), 0), static_cast<ssize_t>(text.size()));
    found.resize(text.size());
    EXPECT_EQ(found, text);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), static_cast<off_t>(text.size()));
    done = true;
    other.join();
    close(fd);
}

TEST_F(files, that_are_large_let_others_run_although_no_disk_is_waited_for) {
    bool done = false;
    int rounds = 0;
    auto other = spawn([&] {
        for (; !done; this_fiber::yield()) {
            ++rounds;
        }
    });
    const auto meanwhile = [&](const char* what, auto call) {
        const int before = rounds;
        const ssize_t n = call();
        EXPECT_GT(rounds, before) << what;
        return n;
    };
    std::string text(std::size_t{5} << 20, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i % 251);
    }
    const auto size = static_cast<ssize_t>(text.size());
    const int fd = open(path("from").c_str(), O_CREAT | O_RDWR, 0600);
    const int to = open(path("to").c_str(), O_CREAT | O_RDWR, 0600);
    EXPECT_EQ(meanwhile("pwrite", [&] { return pwrite(fd, text.data(), text.size(), 0); }), size);

    std::string found(text.size() + 10, '\0');
    const auto expect_found = [&] {
        EXPECT_TRUE(found.compare(0, text.size(), text) == 0);
        std::fill(found.begin(), found.end(), '\0');
    };
    EXPECT_EQ(meanwhile("read", [&] { return read(fd, found.data(), found.size()); }), size);
    expect_found();
    EXPECT_EQ(meanwhile("pread", [&] { return pread(fd, found.data(), found.size(), 0); }), size);
    expect_found();
    EXPECT_EQ(lseek(fd, 1, SEEK_SET), 1);
    const iovec parts[] = {{found.data() + 1, 1 << 20}, {found.data() + 1 + (1 << 20), 4 << 20}};
    EXPECT_EQ(meanwhile("readv", [&] { return readv(fd, parts, 2); }), size - 1);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), size);
    expect_found(); // text begins with the 0 that was there

    off_t at = 0;
    EXPECT_EQ(meanwhile("sendfile", [&] { return sendfile(to, fd, &at, text.size()); }), size);
    EXPECT_EQ(at, size);
    EXPECT_EQ(lseek(to, 0, SEEK_SET), 0);
    EXPECT_EQ(read(to, found.data(), found.size()), size);
    expect_found();
    volatile std::size_t too_much = std::size_t{1} << 63; // not known when this is compiled
    EXPECT_EQ(error_of(static_cast<int>(read(fd, found.data(), too_much))), EINVAL);
    done = true;
    other.join();
    close(fd);
    close(to);
}

TEST_F(files, appended_by_many_fibers_lose_nothing) {
    const std::string name = path("log");
    const int fd = open(name.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    std::vector<tendril::fiber<void>> fibers;
    for (int i = 0; i < 20; ++i) {
        fibers.push_back(spawn([&, i] {
            for (int j = 0; j < 20; ++j) {
                const std::string line = std::to_string(i) + " " + std::to_string(j) + "\n";
                ASSERT_EQ(write(fd, line.data(), line.size()), static_cast<ssize_t>(line.size()));
            }
        }));
    }
    for (auto& f : fibers) {
        f.join();
    }
    close(fd);
    FILE* const log = fopen(name.c_str(), "r");
    int next[20] = {};
    int i = 0, j = 0, lines = 0;
    while (fscanf(log, "%d %d\n", &i, &j) == 2) {
        ASSERT_TRUE(i >= 0 && i < 20);
        EXPECT_EQ(j, next[i]++); // of each fiber in order
        ++lines;
    }
    EXPECT_EQ(lines, 400);
    fclose(log);
}

TEST_F(files, that_are_fifos_wait_for_their_other_end) {
    const std::string name = path("fifo");
    ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
    auto reader = parked([&] { return open(name.c_str(), O_RDONLY); });
    EXPECT_FALSE(reader.ready());
    const int writer = open(name.c_str(), O_WRONLY);
    EXPECT_GE(writer, 0);
    const int end = reader.get();
    EXPECT_GE(end, 0);
    close(writer);
    close(end);
}

TEST_F(files, that_are_fifos_are_given_up_with_their_fiber) {
    const std::string name = path("fifo");
    ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
    int error = 0;
    auto reader = parked([&] { error = error_of(open(name.c_str(), O_RDONLY)); });
    reader.cancel();
    reader.join();
    EXPECT_EQ(error, ECANCELED);
    // A thread that was left behind there gets its other end, and closes what it opened.
    const int writer = open(name.c_str(), O_WRONLY | O_NONBLOCK);
    if (writer < 0) {
        ASSERT_EQ(errno, ENXIO); // it had not begun, and never will
        return;
    }
    signal(SIGPIPE, SIG_IGN);
    while (write(writer, "x", 1) == 1 || errno == EAGAIN) {
        this_fiber::yield();
    }
    EXPECT_EQ(errno, EPIPE);
    close(writer);
}

TEST_F(files, are_locked_by_one_fiber_after_the_other) {
    const std::string name = path("lock");
    const int first = open(name.c_str(), O_CREAT | O_RDWR, 0600);
    const int second = open(name.c_str(), O_RDWR);
    ASSERT_EQ(flock(first, LOCK_EX), 0);
    auto waits = parked([&] { return flock(second, LOCK_EX); });
    auto cancelled = parked([&] { return error_of(flock(second, LOCK_SH)); });
    EXPECT_FALSE(waits.ready());
    int error = 0;
    auto given_up = parked([&] { error = error_of(flock(second, LOCK_SH)); });
    given_up.cancel();
    given_up.join();
    EXPECT_EQ(error, ECANCELED);
    ASSERT_EQ(flock(first, LOCK_UN), 0);
    EXPECT_EQ(waits.get(), 0);
    EXPECT_EQ(cancelled.get(), 0); // the same description
    close(first);
    close(second);
}

TEST_F(files, locks_are_given_up_for_a_signal) {
    const std::string name = path("lock");
    const int first = open(name.c_str(), O_CREAT | O_RDWR, 0600);
    const int second = open(name.c_str(), O_RDWR);
    struct flock whole = {};
    whole.l_type = F_WRLCK;
    ASSERT_EQ(fcntl(first, F_OFD_SETLKW, &whole), 0);
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    auto waits = parked([&] { return error_of(fcntl(second, F_OFD_SETLKW, &whole)); });
    raise(SIGUSR1);
    EXPECT_EQ(waits.get(), EINTR);
    signal(SIGUSR1, SIG_DFL);
    close(first);
    close(second);
}

} // namespace
