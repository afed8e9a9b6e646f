// SPDX-License-Identifier: BSL-1.0
// What the preloaded shim adds to a call on a thread without a hub: the name as the program sees
// it, beside libc's own function. The calls are those whose work in the kernel is least.

#include "bench/support/measure.hpp"

#include <array>
#include <string>

#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int calls_per_part =
    2'000; // short, so that whatever disturbs the two of a pair is the same
constexpr int parts = 151;

std::array<char, 16> buffer;

/// One way of calling, for each function measured.
struct calls {
    decltype(&::read) read = ::read;
    decltype(&::write) write = ::write;
    decltype(&::recv) recv = ::recv;
    decltype(&::poll) poll = ::poll;
    decltype(&::close) close = ::close;
};

template <typename Function>
void take(void* library, const char* name, Function& function) {
    void* original = ::dlsym(library, name);
    if (original == nullptr || original == reinterpret_cast<void*>(function)) {
        std::fprintf(stderr, "%s is not shimmed: preload libtendril_shim.so\n", name);
        std::exit(1);
    }
    function = reinterpret_cast<Function>(original);
}

calls originals() {
    calls libc;
    void* library = ::dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) {
        bench::fail("libc.so.6");
    }
    take(library, "read", libc.read);
    take(library, "write", libc.write);
    take(library, "recv", libc.recv);
    take(library, "poll", libc.poll);
    take(library, "close", libc.close);
    return libc;
}

template <typename Call>
std::int64_t time_of(Call call) {
    const std::int64_t begin = bench::now_ns();
    for (int i = 0; i < calls_per_part; ++i) {
        call();
    }
    return bench::now_ns() - begin;
}

template <typename Call>
void compare(const std::string& name, const calls& libc, Call call) {
    const calls shimmed;
    std::vector<std::int64_t> libc_times;
    std::vector<std::int64_t> shim_times;
    std::vector<std::int64_t> added;
    for (int part = 0; part < parts; ++part) {
        libc_times.push_back(time_of([&] { call(libc); }));
        shim_times.push_back(time_of([&] { call(shimmed); }));
        added.push_back(shim_times.back() - libc_times.back());
    }
    const auto report = [&](const char* what, const std::vector<std::int64_t>& times) {
        bench::report((name + what).c_str(),
                      static_cast<double>(bench::median(times)) / calls_per_part, "ns");
    };
    report(":libc", libc_times);
    report(":shim", shim_times);
    report(":added", added);
}

} // namespace

int main() {
    const calls libc = originals();
    compare("read", libc, [](const calls& c) { return c.read(-1, buffer.data(), 1); });
    compare("write", libc, [](const calls& c) { return c.write(-1, buffer.data(), 1); });
    compare("recv", libc, [](const calls& c) { return c.recv(-1, buffer.data(), 1, 0); });
    compare("poll", libc, [](const calls& c) { return c.poll(nullptr, 0, 0); });
    compare("close", libc, [](const calls& c) { return c.close(-1); });
}
