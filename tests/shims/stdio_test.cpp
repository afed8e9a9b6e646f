// SPDX-License-Identifier: BSL-1.0
// stdio in fibers, with the shim preloaded: over fds that let it wait it parks the fiber alone, and
// a FILE belongs to one fiber at a time.
#include <tendril/tendril.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <fcntl.h>
#include <iostream>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tendril::spawn;
namespace this_fiber = tendril::this_fiber;

/// Until everybody else has gone as far as they can.
void let_others_run() {
    for (int i = 0; i < 10; ++i) {
        this_fiber::yield();
    }
}

/// Runs `work` in a fiber, which is parked by the time this returns.
template <typename Work>
auto parked(Work work) {
    auto f = spawn(work);
    let_others_run();
    EXPECT_FALSE(f.ready());
    return f;
}

class stdio : public testing::Test {
protected:
    void SetUp() override {
        tendril::hub::current(); // output alone gives a thread none
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        file = fdopen(ends[0], "r+");
        fd = ends[1];
    }
    void TearDown() override {
        if (file != nullptr) {
            fclose(file);
        }
        close(fd);
    }

    void feed(const std::string& text) const {
        ASSERT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }

    /// A stream that may write into a pipe until its reader comes.
    static FILE* into_pipe(int& reader) {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        reader = ends[0];
        return fdopen(ends[1], "w");
    }

    FILE* file = nullptr;
    int fd = -1;
};

TEST_F(stdio, reads_lines_as_they_come) {
    auto reader = parked([&] {
        char line[32];
        std::string all;
        while (fgets(line, sizeof line, file) != nullptr) {
            all += std::string("[") + line + "]";
        }
        EXPECT_TRUE(feof(file));
        EXPECT_FALSE(ferror(file));
        return all;
    });
    for (const char* part : {"on", "e\ntw", "o\n", "three\nfour\nfi", "ve"}) {
        feed(part);
        let_others_run();
    }
    shutdown(fd, SHUT_WR);
    EXPECT_EQ(reader.get(), "[one\n][two\n][three\n][four\n][five]");
}

TEST_F(stdio, reads_in_all_ways) {
    const std::string text = "a line\n12 x34;0123456789 3.5e1z";
    auto reader = parked([&] {
        char* line = nullptr;
        std::size_t room = 0;
        EXPECT_EQ(getline(&line, &room, file), 7);
        EXPECT_STREQ(line, "a line\n");
        int number = 0;
        int other = 0;
        EXPECT_EQ(fscanf(file, "%d x%d", &number, &other), 2);
        EXPECT_EQ(number, 12);
        EXPECT_EQ(other, 34);
        EXPECT_EQ(getc(file), ';');
        char bytes[10];
        EXPECT_EQ(fread(bytes, 2, 5, file), 5u);
        EXPECT_EQ(std::string(bytes, 10), "0123456789");
        double real = 0;
        EXPECT_EQ(fscanf(file, "%lf", &real), 1);
        EXPECT_EQ(real, 35.0);
        EXPECT_EQ(getc_unlocked(file), 'z');
        EXPECT_EQ(ungetc('y', file), 'y');
        EXPECT_EQ(fgetc(file), 'y');
        EXPECT_EQ(getc_unlocked(file), EOF);
        free(line);
    });
    for (const char c : text) {
        feed(std::string(1, c));
        let_others_run();
    }
    EXPECT_FALSE(reader.ready());
    shutdown(fd, SHUT_WR);
    reader.join();
}

TEST_F(stdio, reads_more_than_a_buffer) {
    std::string sent(300'000, '-');
    for (std::size_t i = 0; i < sent.size(); ++i) {
        sent[i] = static_cast<char>('a' + i % 23);
    }
    auto reader = parked([&] {
        std::string got(sent.size(), '\0');
        EXPECT_EQ(fread(got.data(), 1, 10, file), 10u);
        EXPECT_EQ(fread(got.data() + 10, 1, got.size() - 10, file), got.size() - 10);
        return got;
    });
    auto other = spawn([&] { feed(sent); });
    EXPECT_EQ(reader.get(), sent);
    other.join();
}

TEST_F(stdio, talks_both_ways) {
    auto peer = spawn([this] {
        FILE* const p = fdopen(dup(fd), "r+");
        char line[64];
        while (fgets(line, sizeof line, p) != nullptr) {
            EXPECT_GT(fprintf(p, "got %s", line), 0);
            EXPECT_EQ(fflush(p), 0);
        }
        EXPECT_EQ(fclose(p), 0);
    });
    for (int i = 0; i < 100; ++i) {
        char line[64];
        ASSERT_GT(fprintf(file, "%d%c", i, '\n'), 0);
        ASSERT_EQ(fflush(file), 0);
        ASSERT_NE(fgets(line, sizeof line, file), nullptr);
        ASSERT_EQ(line, "got " + std::to_string(i) + '\n');
    }
    shutdown(fileno(file), SHUT_WR);
    peer.join();
}

/// A locale whose characters have several bytes.
struct utf8 {
    utf8() { EXPECT_NE(setlocale(LC_CTYPE, "C.UTF-8"), nullptr); }
    ~utf8() { setlocale(LC_CTYPE, "C"); }
};

TEST_F(stdio, reads_wide_characters_as_they_come) {
    const utf8 locale;
    auto reader = parked([&] {
        wchar_t line[32];
        EXPECT_EQ(fgetwc(file), wint_t{0xe4});
        EXPECT_NE(fgetws(line, 32, file), nullptr);
        EXPECT_STREQ(line, L"\u20ac\U0001f600x\n");
        EXPECT_EQ(ungetwc(L'u', file), wint_t{L'u'});
        EXPECT_EQ(getwc(file), wint_t{L'u'});
        EXPECT_EQ(fgetws(line, 32, file), line);
        EXPECT_STREQ(line, L"end");
        EXPECT_EQ(fgetwc(file), WEOF);
        EXPECT_TRUE(feof(file));
        EXPECT_FALSE(ferror(file));
    });
    for (const char c : std::string("\u00e4\u20ac\U0001f600x\nend")) {
        feed(std::string(1, c));
        let_others_run();
    }
    EXPECT_FALSE(reader.ready());
    shutdown(fd, SHUT_WR);
    reader.join();
}

TEST_F(stdio, waiting_for_wide_characters_ends) {
    const auto fails = [&](int error) {
        errno = 0;
        EXPECT_EQ(fgetwc(file), WEOF);
        EXPECT_EQ(errno, error);
    };
    auto reader = parked([&] { fails(ECANCELED); });
    reader.cancel("test");
    reader.join();
    EXPECT_TRUE(ferror(file));
    clearerr(file);
    feed("x");
    EXPECT_EQ(fgetwc(file), wint_t{L'x'});
    reader = parked([&] { fails(EBADF); });
    auto next = parked([&] { fails(EBADF); });
    EXPECT_EQ(fclose(file), 0);
    reader.join();
    next.join();
    file = nullptr;
}

TEST_F(stdio, wide_characters_wait_for_room) {
    const utf8 locale;
    int in = -1;
    FILE* const out = into_pipe(in);
    const std::wstring much(50'000, L'\u20ac');
    auto writer = parked([&] {
        EXPECT_GE(fputws(much.c_str(), out), 0);
        EXPECT_EQ(fwprintf(out, L"%ls%d", much.c_str(), 1), 50'001);
        for (int i = 0; i < 50'000; ++i) {
            ASSERT_EQ(fputwc(L'\u00e4', out), wint_t{0xe4});
        }
        EXPECT_EQ(fclose(out), 0);
    });
    std::string expected;
    for (int i = 0; i < 100'000; ++i) {
        expected += "\u20ac";
    }
    expected += '1';
    for (int i = 0; i < 50'000; ++i) {
        expected += "\u00e4";
    }
    std::string got;
    char part[1000];
    for (ssize_t n = 0; (n = read(in, part, sizeof part)) > 0;) {
        got.append(part, static_cast<std::size_t>(n));
    }
    EXPECT_TRUE(got == expected);
    writer.join();
    close(in);
}

TEST_F(stdio, waits_for_room) {
    int in = -1;
    FILE* const out = into_pipe(in);
    std::string expected;
    auto writer = parked([&] {
        for (int i = 0; i < 30'000; ++i) {
            ASSERT_GT(fprintf(out, "line %d\n", i), 0);
        }
        ASSERT_EQ(fclose(out), 0);
    });
    for (int i = 0; i < 30'000; ++i) {
        expected += "line " + std::to_string(i) + '\n';
    }
    std::string got;
    char part[1000];
    for (ssize_t n = 0; (n = read(in, part, sizeof part)) > 0;) {
        got.append(part, static_cast<std::size_t>(n));
    }
    EXPECT_EQ(got, expected);
    writer.join();
    close(in);
}

TEST_F(stdio, lines_of_several_fibers_stay_whole) {
    for (const int mode : {_IOFBF, _IOLBF, _IONBF}) {
        int in = -1;
        FILE* const out = into_pipe(in);
        ASSERT_EQ(setvbuf(out, nullptr, mode, 1024), 0);
        constexpr int each = 20;
        std::vector<tendril::fiber<void>> writers;
        for (char c = 'a'; c < 'd'; ++c) {
            writers.push_back(spawn([out, line = std::string(30'000, c)] {
                for (int i = 0; i < each; ++i) {
                    ASSERT_EQ(fprintf(out, "%s\n", line.c_str()), 30'001);
                }
            }));
        }
        auto closer = spawn([&] {
            for (auto& w : writers) {
                w.join();
            }
            ASSERT_EQ(fclose(out), 0);
        });
        FILE* const from = fdopen(in, "r");
        char* line = nullptr;
        std::size_t room = 0;
        int lines = 0;
        for (ssize_t n = 0; (n = getline(&line, &room, from)) > 0; ++lines) {
            ASSERT_EQ(n, 30'001);
            ASSERT_EQ(std::string(line, 30'000), std::string(30'000, line[0]));
        }
        EXPECT_EQ(lines, 3 * each);
        free(line);
        closer.join();
        fclose(from);
    }
}

TEST_F(stdio, a_lock_is_a_fibers) {
    std::string order;
    flockfile(file);
    flockfile(file);
    EXPECT_EQ(ftrylockfile(file), 0);
    std::vector<tendril::fiber<void>> others;
    for (char c = '1'; c < '4'; ++c) {
        others.push_back(spawn([&, c] {
            EXPECT_NE(ftrylockfile(file), 0);
            flockfile(file);
            order += c;
            this_fiber::yield();
            order += c;
            funlockfile(file);
        }));
    }
    let_others_run();
    funlockfile(file);
    funlockfile(file);
    let_others_run();
    EXPECT_EQ(order, "");
    EXPECT_GT(fprintf(file, "mine"), 0);
    funlockfile(file);
    for (auto& f : others) {
        f.join();
    }
    EXPECT_EQ(order, "112233");
    EXPECT_EQ(ftrylockfile(file), 0);
    funlockfile(file);
}

TEST_F(stdio, a_lock_keeps_threads_out_and_threads_keep_fibers_out) {
    std::atomic<int> step{0};
    std::thread thread([&] {
        flockfile(file);
        step = 1;
        while (step != 2) {
            std::this_thread::yield();
        }
        fputs("thread", file);
        funlockfile(file);
    });
    while (step != 1) {
        this_fiber::yield();
    }
    auto writer = parked([&] { return fputs(" fiber", file); });
    EXPECT_NE(ftrylockfile(file), 0);
    step = 2;
    EXPECT_GE(writer.get(), 0);
    thread.join();

    auto reader = parked([&] { return getc(file); });
    std::thread([&] { EXPECT_NE(ftrylockfile(file), 0); }).join();
    char got[13] = {};
    EXPECT_EQ(recv(fd, got, 12, MSG_WAITALL), 12);
    EXPECT_STREQ(got, "thread fiber");
    feed("!");
    EXPECT_EQ(reader.get(), '!');
    std::thread([&] {
        EXPECT_EQ(ftrylockfile(file), 0);
        funlockfile(file);
    }).join();
}

TEST_F(stdio, fibers_that_pass_it_on_let_other_threads_have_it) {
    const auto share = [&](int fibers, bool with_hub) {
        SCOPED_TRACE(testing::Message() << fibers << (with_hub ? " against a hub" : ""));
        std::atomic<bool> begun{false};
        std::atomic<bool> had{false};
        std::thread other([&] {
            if (with_hub) {
                tendril::hub::current();
            }
            begun = true;
            flockfile(file);
            funlockfile(file);
            had = true;
        });
        const auto last_hope = std::chrono::steady_clock::now() + 30s;
        std::vector<tendril::fiber<void>> holders;
        for (int i = 0; i < fibers; ++i) {
            holders.push_back(spawn([&] {
                while (!had && std::chrono::steady_clock::now() < last_hope) {
                    flockfile(file);
                    do { // another queues before it is free
                        this_fiber::yield();
                    } while (!begun);
                    funlockfile(file);
                }
            }));
        }
        for (auto& f : holders) {
            f.join();
        }
        EXPECT_TRUE(had);
        other.join();
    };
    share(3, false);
    share(3, true);
    share(1, true);
}

TEST_F(stdio, two_readers_take_turns) {
    const auto read_line = [this] {
        char line[32] = "";
        EXPECT_NE(fgets(line, sizeof line, file), nullptr);
        return std::string(line);
    };
    auto first = parked(read_line);
    auto second = parked(read_line);
    feed("on");
    let_others_run();
    feed("e\ntwo\n");
    EXPECT_EQ(first.get(), "one\n");
    EXPECT_EQ(second.get(), "two\n");
}

TEST_F(stdio, is_cancelled_with_an_error) {
    bool begun = false;
    auto reader = spawn([&] {
        begun = true;
        char line[32];
        errno = 0;
        EXPECT_EQ(fgets(line, sizeof line, file), nullptr);
        EXPECT_EQ(errno, ECANCELED);
        EXPECT_TRUE(ferror(file));
    });
    auto queued = parked([&] {
        errno = 0;
        EXPECT_EQ(getc(file), EOF);
        EXPECT_EQ(errno, ECANCELED);
    });
    EXPECT_TRUE(begun);
    queued.cancel("test");
    queued.join();
    EXPECT_FALSE(reader.ready());
    reader.cancel("test");
    reader.join();
    clearerr(file);
    EXPECT_FALSE(tendril::move_on_after(1ms, [&] {
        int n = 0;
        errno = 0;
        EXPECT_EQ(fscanf(file, "%d", &n), EOF);
        EXPECT_EQ(errno, ECANCELED);
    }));
    clearerr(file);
    feed("7\n");
    int n = 0;
    EXPECT_EQ(fscanf(file, "%d", &n), 1);
    EXPECT_EQ(n, 7);
}

TEST_F(stdio, does_not_wait_where_the_program_said_so) {
    ASSERT_EQ(fcntl(fileno(file), F_SETFL, O_RDWR | O_NONBLOCK), 0);
    errno = 0;
    EXPECT_EQ(getc(file), EOF);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_TRUE(ferror(file));
    EXPECT_FALSE(feof(file));
    clearerr(file);
    feed("x");
    EXPECT_EQ(getc(file), 'x');
}

TEST_F(stdio, who_reads_is_told_of_fclose) {
    auto reader = parked([&] {
        errno = 0;
        EXPECT_EQ(getc(file), EOF);
        EXPECT_EQ(errno, EBADF);
    });
    EXPECT_EQ(fclose(file), 0);
    EXPECT_TRUE(reader.ready());
    reader.join();
    file = nullptr;
}

TEST_F(stdio, who_queues_is_told_of_fclose) {
    const auto fails_to_get = [&] {
        errno = 0;
        EXPECT_EQ(getc(file), EOF);
        EXPECT_EQ(errno, EBADF);
    };
    const auto fails_to_tell = [&] {
        errno = 0;
        EXPECT_EQ(ftell(file), -1);
        EXPECT_EQ(errno, EBADF);
    };
    auto reader = parked(fails_to_get);
    auto before = parked(fails_to_get);
    auto teller = parked(fails_to_tell);
    auto locker = parked([&] { flockfile(file); });
    auto closer = spawn([&] { EXPECT_EQ(fclose(file), 0); });
    auto after = spawn(fails_to_get);
    auto again = spawn([&] {
        errno = 0;
        EXPECT_EQ(fclose(file), EOF);
        EXPECT_EQ(errno, EBADF);
    });
    let_others_run();
    ASSERT_TRUE(closer.ready());
    for (auto* f : {&reader, &before, &teller, &locker, &closer, &after, &again}) {
        f->join();
    }
    file = nullptr;
}

TEST_F(stdio, who_has_not_begun_to_read_is_told_of_fclose) {
    bool closes = false;
    auto owner = parked([&] {
        flockfile(file);
        while (!closes) {
            this_fiber::yield();
        }
        errno = 0;
        EXPECT_EQ(getc(file), EOF);
        EXPECT_EQ(errno, EBADF);
        funlockfile(file);
    });
    auto closer = spawn([&] {
        closes = true;
        EXPECT_EQ(fclose(file), 0);
    });
    let_others_run();
    ASSERT_TRUE(closer.ready());
    owner.join();
    closer.join();
    file = nullptr;
}

TEST_F(stdio, all_are_flushed) {
    int in = -1;
    FILE* const out = into_pipe(in);
    const std::string much(100'000, 'm');
    std::vector<char> buffer(200'000);
    ASSERT_EQ(setvbuf(out, buffer.data(), _IOFBF, buffer.size()), 0);
    ASSERT_EQ(fwrite(much.data(), 1, much.size(), out), much.size());
    fputs("more", file);
    auto flusher = parked([] { return fflush(nullptr); });
    std::string got(much.size(), '\0');
    for (std::size_t n = 0; n < got.size();) {
        n += static_cast<std::size_t>(read(in, got.data() + n, got.size() - n));
    }
    EXPECT_EQ(flusher.get(), 0);
    EXPECT_EQ(got, much);
    char more[5] = {};
    EXPECT_EQ(recv(fd, more, 4, MSG_WAITALL), 4);
    EXPECT_STREQ(more, "more");
    fclose(out);
    close(in);
}

class stdio_fifo : public stdio {
protected:
    void SetUp() override {
        stdio::SetUp();
        ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    }
    void TearDown() override {
        unlink(path.c_str());
        stdio::TearDown();
    }
    void expect_line(FILE* from, const char* expected) const {
        char line[32] = "";
        EXPECT_NE(fgets(line, sizeof line, from), nullptr);
        EXPECT_STREQ(line, expected);
    }

    const std::string path = testing::TempDir() + "tendril-stdio-" + std::to_string(getpid());
};

TEST_F(stdio_fifo, is_opened_when_the_other_end_comes) {
    for (const char* mode : {"r", "rce", "r,ccs=UTF-8"}) {
        auto reader = parked([&] {
            errno = ENOTTY;
            FILE* const from = fopen(path.c_str(), mode);
            EXPECT_EQ(errno, ENOTTY);
            ASSERT_NE(from, nullptr);
            EXPECT_EQ(fcntl(fileno(from), F_GETFD), mode[1] == 'c' ? FD_CLOEXEC : 0);
            EXPECT_EQ(fwide(from, 0) > 0, mode[1] == ',');
            if (mode[1] != ',') {
                expect_line(from, "line\n");
            }
            EXPECT_EQ(fclose(from), 0);
        });
        FILE* const to = fopen(path.c_str(), "a");
        ASSERT_NE(to, nullptr);
        if (mode[1] != ',') {
            EXPECT_GE(fputs("line\n", to), 0);
        }
        EXPECT_EQ(fclose(to), 0);
        reader.join();
    }
    FILE* const both = fopen(path.c_str(), "r+");
    ASSERT_NE(both, nullptr);
    fclose(both);
    EXPECT_EQ(fopen(path.c_str(), "wx"), nullptr);
    EXPECT_EQ(errno, EEXIST);
    EXPECT_EQ(fopen(path.c_str(), "?"), nullptr);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(fopen((path + "/").c_str(), "r"), nullptr);
    EXPECT_EQ(errno, ENOTDIR);
}

TEST_F(stdio_fifo, opening_is_given_up) {
    auto reader = parked([&] {
        errno = 0;
        EXPECT_EQ(fopen(path.c_str(), "r"), nullptr);
        EXPECT_EQ(errno, ECANCELED);
    });
    reader.cancel("test");
    reader.join();
    close(open(path.c_str(), O_RDWR)); // the thread that opens it is still at it
}

TEST_F(stdio_fifo, is_opened_by_freopen_when_the_other_end_comes) {
    for (const bool locked : {false, true}) {
        FILE* const from = fopen("/dev/null", "r");
        auto reader = parked([&] {
            EXPECT_EQ(freopen(path.c_str(), "r", from), from);
            expect_line(from, "two\n"); // after who has waited
        });
        auto next = parked([&] { expect_line(from, "one\n"); });
        auto writer = spawn([&] {
            FILE* const to = fopen(path.c_str(), "w");
            ASSERT_NE(to, nullptr);
            EXPECT_GE(fputs("one\ntwo\n", to), 0);
            EXPECT_EQ(fclose(to), 0);
        });
        reader.join();
        next.join();
        writer.join();
        if (locked) { // then libc does it, on this thread
            const int other = open(path.c_str(), O_RDWR);
            flockfile(from);
            EXPECT_EQ(freopen(path.c_str(), "r", from), from);
            std::thread([&] { EXPECT_NE(ftrylockfile(from), 0); }).join();
            funlockfile(from);
            close(other);
        }
        std::thread([&] {
            EXPECT_EQ(ftrylockfile(from), 0);
            funlockfile(from);
        }).join();
        EXPECT_EQ(fclose(from), 0);
    }
}

TEST_F(stdio_fifo, commands_are_read_and_written) {
    // The command ends its line when another fiber says so.
    auto reader = parked([&] {
        FILE* const command = popen(("printf 'got '; cat " + path + "; exit 5").c_str(), "r");
        char line[64] = "";
        EXPECT_NE(fgets(line, sizeof line, command), nullptr);
        EXPECT_STREQ(line, "got this\n");
        EXPECT_EQ(WEXITSTATUS(pclose(command)), 5);
    });
    const int to = open(path.c_str(), O_WRONLY);
    ASSERT_EQ(write(to, "this\n", 5), 5);
    close(to);
    reader.join();

    FILE* const sorted = popen("test \"$(sort -n | tail -n 1)\" = 49999 && exit 3", "w");
    ASSERT_NE(sorted, nullptr);
    for (int i = 0; i < 50'000; ++i) {
        fprintf(sorted, "%d\n", i);
    }
    EXPECT_EQ(WEXITSTATUS(pclose(sorted)), 3);
}

TEST_F(stdio, functions_of_a_stream_may_wait) {
    const cookie_io_functions_t functions = {[](void* cookie, char* to, std::size_t size) {
                                                 return read(*static_cast<int*>(cookie), to, size);
                                             },
                                             nullptr, nullptr, nullptr};
    int from = fileno(file);
    FILE* const own = fopencookie(&from, "r", functions);
    const auto read_line = [own] {
        char line[32] = "";
        EXPECT_NE(fgets(line, sizeof line, own), nullptr);
        return std::string(line);
    };
    auto first = parked(read_line);
    auto second = parked(read_line);
    feed("on");
    let_others_run();
    feed("e\ntwo\n");
    EXPECT_EQ(first.get() + second.get(), "one\ntwo\n");
    fclose(own);
}

TEST_F(stdio, a_child_has_no_locks_of_fibers_that_are_not_there) {
    auto reader = parked([&] { return getc(file); });
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        fputs("child", file);
        _exit(fflush(file) == 0 ? 7 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
    char got[6] = {};
    EXPECT_EQ(recv(fd, got, 5, MSG_WAITALL), 5);
    EXPECT_STREQ(got, "child");
    feed("p");
    EXPECT_EQ(reader.get(), 'p');
}

TEST_F(stdio, serves_standard_input_and_its_cpp_stream) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    auto reader = parked([] {
        EXPECT_EQ(getchar(), 'x');
        int n = 0;
        EXPECT_EQ(scanf("%d", &n), 1);
        EXPECT_EQ(n, 12);
        std::string line;
        EXPECT_TRUE(std::getline(std::cin, line));
        EXPECT_EQ(line, " and");
        EXPECT_TRUE(std::cin >> n);
        EXPECT_EQ(n, 34);
        EXPECT_FALSE(std::cin >> n);
    });
    for (const char c : std::string("x12 and\n34")) {
        ASSERT_EQ(write(ends[1], &c, 1), 1);
        let_others_run();
    }
    EXPECT_FALSE(reader.ready());
    close(ends[1]);
    reader.join();
}

} // namespace
