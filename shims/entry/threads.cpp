// SPDX-License-Identifier: BSL-1.0
//
// os_threads_max: how many OS threads the process had at once. Counted where they begin and end,
// for a sample could miss the moment. Threads that libc makes for itself are not seen.

#include "shims/entry/shim.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace tendril::shim {

namespace {

std::atomic<unsigned> live{1};
std::atomic<unsigned> most{1};
pthread_key_t at_thread_end;

template <typename Start>
struct beginning {
    Start start;
    void* argument;
};

// Destructors of thread-specific data run in rounds; only in the last is the thread about to end.
void end_of_thread(void* rounds) {
    const auto left = reinterpret_cast<std::uintptr_t>(rounds) - 1;
    if (left == 0 || pthread_setspecific(at_thread_end, reinterpret_cast<void*>(left)) != 0) {
        live.fetch_sub(1);
    }
}

template <typename Start, typename Result>
Result run(void* p) {
    const beginning<Start> begin = *static_cast<beginning<Start>*>(p);
    free(p);
    if (pthread_setspecific(at_thread_end,
                            reinterpret_cast<void*>(PTHREAD_DESTRUCTOR_ITERATIONS)) != 0) {
        live.fetch_sub(1);
    }
    return begin.start(begin.argument);
}

template <typename Start, typename Create>
int counted(Start start, void* argument, int no_memory, Create create) {
    auto* const begin = static_cast<beginning<Start>*>(malloc(sizeof(beginning<Start>)));
    if (begin == nullptr) {
        return no_memory;
    }
    *begin = {start, argument};
    const unsigned now = live.fetch_add(1) + 1;
    const int error = create(begin);
    if (error != 0) {
        live.fetch_sub(1);
        free(begin);
        return error;
    }
    unsigned seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    return 0;
}

void only_this_thread() {
    live = 1;
    most = 1;
    for (auto& each : counters) {
        each = {};
    }
}

} // namespace

void begin_statistics() noexcept {
    if (pthread_key_create(&at_thread_end, end_of_thread) == 0) {
        pthread_atfork(nullptr, nullptr, only_this_thread);
        idle = &counting;
    }
}

unsigned threads_at_most() noexcept {
    return most.load();
}

int counted_pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                           tendril_thread_start start, void* argument) noexcept {
    return counted(start, argument, EAGAIN, [&](void* begin) {
        return originals.pthread_create(thread, attributes, run<tendril_thread_start, void*>,
                                        begin);
    });
}

int counted_thrd_create(thrd_t* thread, thrd_start_t start, void* argument) noexcept {
    return counted(start, argument, thrd_nomem, [&](void* begin) {
        return originals.thrd_create(thread, run<thrd_start_t, int>, begin);
    });
}

} // namespace tendril::shim
