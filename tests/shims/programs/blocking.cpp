// SPDX-License-Identifier: BSL-1.0
// Blocks its hub in several ways, each until it has been reported: stderr is read back through a
// pipe by a thread, which then ends the wait.

#include <tendril.h>
#include <tendril/real.hpp>
#include <tendril/tendril.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace {

int reports[2];
int told;

/// Reads reports until one has both words; prints it, and then ends the wait.
template <typename End>
std::thread when_reported(const char* what, const char* who, End end) {
    return std::thread([=] {
        std::string seen;
        for (char c; tendril::real::read(reports[0], &c, 1) == 1;) {
            if (c != '\n') {
                seen += c;
                continue;
            }
            if (seen.find(what) != std::string::npos && seen.find(who) != std::string::npos) {
                break;
            }
            seen.clear();
        }
        seen += '\n';
        if (tendril::real::write(told, seen.data(), seen.size()) < 0) {
            std::exit(1);
        }
        end();
    });
}

} // namespace

extern "C" __attribute__((visibility("default"), noinline)) void blocks_in_read(int fd) {
    char c;
    const volatile ssize_t n = tendril::real::read(fd, &c, 1);
    static_cast<void>(n);
}

extern "C" __attribute__((visibility("default"), noinline)) void blocks_in_semaphore(sem_t* s) {
    const volatile int result = sem_wait(s);
    static_cast<void>(result);
}

extern "C" __attribute__((visibility("default"), noinline)) void blocks_in_stdio(FILE* file) {
    char line[8];
    const char* const volatile result = std::fgets(line, sizeof line, file);
    static_cast<void>(result);
}

/// Computes, in a fiber that code spawned which is no longer there.
static void compute_without_spawner(const char* library) {
    void* const spawner = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (spawner == nullptr) {
        std::exit(1);
    }
    using spawns = tendril_fiber*(void* (*)(void*), void*);
    auto* const spawn = reinterpret_cast<spawns*>(dlsym(spawner, "spawn_from_library"));
    std::atomic<bool> is_over{false};
    tendril_fiber* const fiber = spawn(
        [](void* over) -> void* {
            auto& end = *static_cast<std::atomic<bool>*>(over);
            auto ending = when_reported("computing", "spawned at 0x", [&] { end = true; });
            while (!end) {
            }
            ending.join();
            return nullptr;
        },
        &is_over);
    dlclose(spawner);
    tendril_join(fiber, nullptr);
}

int main(int, char** arguments) {
    pthread_setname_np(pthread_self(), "work\x1b[7mer"); // what a terminal obeys
    int ends[2];
    int more[2];
    told = dup(STDOUT_FILENO);
    if (pipe(reports) != 0 || pipe(ends) != 0 || pipe(more) != 0 ||
        dup2(reports[1], STDERR_FILENO) < 0) {
        return 1;
    }
    const auto write_line = [](int fd) {
        if (tendril::real::write(fd, "x\n", 2) != 2) {
            std::exit(1);
        }
    };
    // What waits as it should is never reported: those that follow would be too late by then.
    tendril::spawn({"sleeper"}, [] {
        tendril::this_fiber::sleep_for(std::chrono::milliseconds(60));
    }).join();

    tendril::spawn({"reader"}, [&] {
        auto end = when_reported("read fd", "\"reader\"", [&] { write_line(ends[1]); });
        blocks_in_read(ends[0]);
        end.join();
    }).join();

    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    auto end = when_reported("futex", "the main fiber", [&] { sem_post(&semaphore); });
    blocks_in_semaphore(&semaphore);
    end.join();

    // What the hub and its watch have open, too, by a call that nobody sees.
    constexpr int first_of_ours = 600;
    syscall(SYS_close_range, first_of_ours, ~0U, 0);
    FILE* const file = fdopen(more[0], "r");
    tendril::spawn([&] {
        auto ending = when_reported("read fd", "fgets", [&] { write_line(more[1]); });
        blocks_in_stdio(file);
        ending.join();
    }).join();

    std::atomic<bool> is_over{false};
    tendril::spawn({"coun\nter"}, [&] {
        auto ending = when_reported("computing", "\"coun?ter\"", [&] { is_over = true; });
        while (!is_over) {
        }
        ending.join();
    }).join();
    compute_without_spawner(arguments[1]);
}
