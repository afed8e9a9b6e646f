// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "exhaustion/runner.hpp"
#include "offload/offload.hpp"
#include "support/leaks.hpp"
#include "support/sockets.hpp"

#include <tendril.h>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>
#include <tendril/io.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <utility>

namespace tendril::test::scenarios {

using namespace std::chrono_literals;

/// Fibers that all end before their spawner goes on, also when something fails.
template <std::size_t Most>
class crew {
public:
    ~crew() { end_all(); }

    template <typename Function>
    void add(Function f, const spawn_options& how = {}) {
        fibers_[count_] = tendril::spawn(how, std::move(f));
        ++count_;
    }

    /// Rethrows the first error.
    void end() {
        end_all();
        if (error_ != nullptr) {
            std::rethrow_exception(std::exchange(error_, nullptr));
        }
    }

private:
    /// In no order: what one that failed holds may be what another waits for.
    void end_all() {
        for (std::size_t left = count_; left != 0;) {
            left = 0;
            for (fiber<void>& f : fibers_) {
                if (f && f.join_for(200us)) {
                    collect(f);
                }
                left += f ? 1 : 0;
            }
        }
        count_ = 0;
    }

    void collect(fiber<void>& f) {
        try {
            f.get();
        } catch (...) {
            error_ = error_ == nullptr ? std::current_exception() : error_;
        }
        f = {};
    }

    std::array<fiber<void>, Most> fibers_;
    std::size_t count_ = 0;
    std::exception_ptr error_;
};

/// `body` on a thread of its own; what it throws comes out here.
template <typename Body>
void on_a_thread(Body body) {
    std::exception_ptr error;
    std::thread([&] {
        try {
            body();
        } catch (...) {
            error = std::current_exception();
        }
    }).join();
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

inline void spawn_and_join() {
    int ended = 0;
    crew<100> all;
    for (int i = 0; i < 100; ++i) {
        all.add([&ended] {
            this_fiber::yield();
            ++ended;
        });
    }
    all.end();
    require(ended == 100, "fibers were lost");
}

inline void stacks_of_all_sizes() {
    crew<8> all;
    std::size_t size = std::size_t{64} << 10;
    for (int i = 0; i < 6; ++i, size *= 8) {
        spawn_options how;
        how.stack_size = size;
        how.name = "a name that is too long to be kept inside of a string";
        all.add([] { this_fiber::yield(); }, how);
    }
    all.end();
}

inline void results() {
    fiber<std::unique_ptr<int>> f = tendril::spawn([] { return std::make_unique<int>(7); });
    require(*f.get() == 7, "another result");
    fiber<void> g =
        tendril::spawn([] { throw std::system_error(EIO, std::system_category(), "x"); });
    try {
        g.get();
        throw wrong("no error came through");
    } catch (const std::system_error& e) {
        require(e.code().value() == EIO || e.code().value() == ENOMEM, "another error");
    }
}

inline void hub_of_a_thread() {
    on_a_thread([] {
        crew<3> all;
        int ended = 0;
        for (int i = 0; i < 3; ++i) {
            all.add([&ended] {
                this_fiber::sleep_for(100us);
                ++ended;
            });
        }
        all.end();
        require(ended == 3, "fibers were lost");
    });
}

inline void sleeps() {
    crew<10> all;
    for (int i = 0; i < 10; ++i) {
        all.add([i] {
            const auto from = std::chrono::steady_clock::now();
            this_fiber::sleep_for(i * 300us);
            require(std::chrono::steady_clock::now() >= from + i * 300us, "woke too early");
        });
    }
    all.end();
}

inline void join_with_deadlines() {
    fiber<void> f = tendril::spawn([] { this_fiber::sleep_for(2ms); });
    f.join_for(100us);
    f.join();
    f.get();
    crew<4> all;
    for (int i = 0; i < 4; ++i) {
        all.add([] { hub::current().drain(); });
    }
    all.end();
}

/// One spawned on another thread's hub, and joined from here.
inline void across_threads() {
    struct meeting {
        std::optional<hub> there;
        std::atomic<bool> known{false};
        std::atomic<bool> over{false};
    } m;
    std::exception_ptr error;
    fd_pair end = pipe_pair();
    std::thread other([&] {
        try {
            m.there = hub::current();
            m.known = true;
            char c = 0;
            io::read(end.a, &c, 1); // until the other end is closed
        } catch (...) {
            error = std::current_exception();
        }
        m.over = true;
    });
    std::exception_ptr here;
    try {
        while (!m.known && !m.over) {
            this_fiber::sleep_for(50us);
        }
        if (m.known) {
            fiber<int> f = tendril::spawn(*m.there, spawn_options{}, [] {
                this_fiber::sleep_for(100us);
                return 3;
            });
            require(f.get() == 3, "another result");
        }
    } catch (...) {
        here = std::current_exception();
    }
    ::close(end.b.release());
    other.join();
    for (const std::exception_ptr& e : {here, error}) {
        if (e != nullptr) {
            std::rethrow_exception(e);
        }
    }
}

inline void offloaded() {
    crew<3> all;
    for (int i = 0; i < 3; ++i) {
        all.add([i] {
            const detail::wait_reason why{detail::wait_kind::other, "test"};
            const auto [end, state] = detail::offload_with(
                std::make_shared<int>(i), [](int& n) noexcept { n += 10; }, why);
            require(end == detail::wake::ready && *state == i + 10, "not done");
        });
    }
    all.end();
}

/// Whose fibers still wait when it ends. Their stacks are lost on purpose.
inline void thread_ends_with_parked_fibers() {
    const detail::lost_on_purpose lost;
    const fd_pair quiet = unix_pair();
    std::optional<fiber<void>> parked;
    on_a_thread([&] {
        const detail::lost_on_purpose there_too;
        parked = tendril::spawn([fd = static_cast<int>(quiet.a)] {
            char c = 0;
            io::read(fd, &c, 1);
        });
        tendril::spawn([] { this_fiber::sleep_for(1h); }).detach();
        this_fiber::yield();
    });
    parked->join();
    try {
        parked->get();
        throw wrong("a fiber that was abandoned has a result");
    } catch (const std::system_error& e) {
        require(e.code().value() == ECANCELED || e.code().value() == ENOMEM, "another error");
    } catch (const std::bad_alloc&) {
    }
}

inline std::shared_ptr<void> no_grace() {
    ::setenv("TENDRIL_EXIT_GRACE_MS", "0", 1);
    ::close(STDERR_FILENO); // it reports each
    ::open("/dev/null", O_WRONLY);
    return nullptr;
}

/// In the child the calls are counted on, and may fail as well.
inline void forks() {
    crew<2> all;
    fd_pair pair = unix_pair();
    pid_t child = -1;
    int error = 0;
    all.add([fd = std::move(pair.a)] {
        char c = 0;
        require(io::read(fd, &c, 1) == 0, "the parent's fiber read the child's byte");
    });
    all.add([&child, &error, fd = std::move(pair.b)]() mutable {
        this_fiber::sleep_for(100us);
        child = ::fork();
        error = errno;
        if (child != 0) {
            fd.reset();
            return;
        }
        int status = 1;
        try {
            fd_pair own = unix_pair();
            fiber<char> f = tendril::spawn([fd = static_cast<int>(own.a)] {
                char c = 0;
                io::read(fd, &c, 1);
                return c;
            });
            this_fiber::sleep_for(100us);
            io::write(own.b, "y", 1);
            status = f.get() == 'y' ? 0 : 1;
        } catch (const std::bad_alloc&) {
            status = 0;
        } catch (const std::system_error&) {
            status = 0;
        }
        ::_exit(status + (faults::was_hit() ? 16 : 0));
    });
    all.end();
    if (child < 0) {
        throw std::system_error(error, std::system_category(), "fork");
    }
    int status = -1;
    require(::waitpid(child, &status, 0) == child, "no child");
    if (WIFEXITED(status) && (WEXITSTATUS(status) & 16) != 0) {
        faults::inside::hit = true;
    }
    require(WIFEXITED(status) && (WEXITSTATUS(status) & ~16) == 0, "the child went wrong");
}

inline void by_the_c_interface() {
    const auto call = [](int result) {
        if (result < 0) {
            throw std::system_error(errno, std::system_category(), "c");
        }
        return result;
    };
    const auto body = [](void* p) -> void* {
        tendril_sleep_ns(1000);
        return p;
    };
    int here = 0;
    tendril_fiber* const f = tendril_spawn(body, &here, nullptr);
    call(f == nullptr ? -1 : 0);
    void* result = nullptr;
    if (tendril_join(f, &result) == 0) {
        require(result == &here, "another result");
    } else {
        require(errno == ENOMEM, "another error");
    }
    const owned_fd listener(call(tendril_tcp_listen("127.0.0.1:0", 0)));
    char endpoint[40];
    std::snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d",
                  ntohs(local_address(listener).sin_port));
    const owned_fd client(call(tendril_tcp_connect(endpoint, -1)));
    const owned_fd server(call(tendril_tcp_accept(listener)));
    char c = 'q';
    call(static_cast<int>(tendril_write(client, &c, 1)));
    pollfd ready{server, POLLIN, 0};
    call(tendril_poll(&ready, 1, -1));
    c = 0;
    call(static_cast<int>(tendril_read(server, &c, 1)));
    require(c == 'q', "another byte");
    call(tendril_drain());
}

} // namespace tendril::test::scenarios
