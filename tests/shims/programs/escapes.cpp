// SPDX-License-Identifier: BSL-1.0
// Ways past the shim: which of these calls let another fiber run, and what is said to be shimmed.

#include <tendril.h>
#include <tendril/real.hpp>
#include <tendril/tendril.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace {

/// In read(2), or in one of those that the hub waits in.
bool waits(long thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
    std::FILE* const file = std::fopen(path.c_str(), "r");
    long number = -1;
    const bool is_in_kernel = file != nullptr && std::fscanf(file, "%ld", &number) == 1;
    if (file != nullptr) {
        std::fclose(file);
    }
    return is_in_kernel && (number == SYS_read || number == SYS_epoll_wait ||
                            number == SYS_epoll_pwait || number == SYS_epoll_pwait2);
}

/// Reads a byte that comes when this thread waits: by then another fiber has run, if one can.
template <typename Read>
void try_to_read(const char* how, Read read) {
    int ends[2];
    if (pipe(ends) != 0) {
        std::exit(1);
    }
    bool other_ran = false;
    std::atomic<bool> about_to_read{false};
    auto other = tendril::spawn([&] { other_ran = true; });
    const long me = syscall(SYS_gettid);
    std::thread writer([&] {
        while (!about_to_read || !waits(me)) {
            usleep(1000);
        }
        if (tendril::real::write(ends[1], "x", 1) != 1) {
            std::exit(1);
        }
    });
    char byte = 0;
    about_to_read = true;
    const ssize_t n = read(ends[0], &byte, 1);
    std::printf("%s: %zd '%c', another fiber %s\n", how, n, byte, other_ran ? "ran" : "waited");
    other.join();
    writer.join();
    close(ends[0]);
    close(ends[1]);
}

} // namespace

int main(int, char** argv) {
    for (const char* name : {"read", "__read_chk", "nanosleep", "close", "open", "pthread_create",
                             "pthread_mutex_lock", "nonesuch"}) {
        std::printf("%s%s", tendril_is_shimmed(name) ? "+" : "-", name);
        std::printf("%s", std::strcmp(name, "nonesuch") != 0 ? " " : "\n");
    }
    try_to_read("read", [](int fd, void* p, size_t n) { return ::read(fd, p, n); });
    try_to_read("real::read", tendril::real::read);

    // While there are fibers already: the list holds for what comes later, too.
    void* const library = dlopen(argv[1], RTLD_NOW);
    if (library == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    for (const char* name : {"library_read", "library_read_checked", "library_read_alias"}) {
        const auto read = reinterpret_cast<ssize_t (*)(int, void*, size_t)>(dlsym(library, name));
        try_to_read(name, read);
    }

    const int fd = tendril::real::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int flags = tendril::real::fcntl(fd, F_GETFD);
    const int set = tendril::real::ioctl(fd, FIOCLEX);
    const int closed = tendril::real::close(fd);
    errno = 0;
    const bool is_gone = tendril::real::read(fd, nullptr, 1) == -1 && errno == EBADF;
    std::printf("real: %d %d %d %d\n", flags, set, closed, is_gone);
}
