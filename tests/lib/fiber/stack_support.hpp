// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/stack.hpp"
#include "fiber/stack_memory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace tendril::detail {

inline constexpr bool sanitized = sizeof TENDRIL_TEST_SANITIZE > 1;

/// True if a byte can be read there. The kernel says so without a fault of ours.
inline bool readable(const std::byte* address) {
    int ends[2];
    if (::pipe(ends) != 0) {
        std::abort();
    }
    const long n = ::syscall(SYS_write, ends[1], address, 1);
    const int error = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_TRUE(n == 1 || error == EFAULT) << std::strerror(error);
    return n == 1;
}

inline testing::AssertionResult guarded(const stack& s) {
    for (const std::byte* at = s.base; at < s.base + guard_bytes(); at += page_size()) {
        if (readable(at) || readable(at + page_size() - 1)) {
            return testing::AssertionFailure() << at - s.base << " bytes above the base";
        }
    }
    if (!readable(s.base + guard_bytes())) {
        return testing::AssertionFailure() << "the guard is too large";
    }
    return testing::AssertionSuccess() << "guarded";
}

/// A line of /proc/self/status, in bytes.
inline std::size_t status(const std::string& key) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key + ":")) {
            return std::stoull(line.substr(key.size() + 1)) << 10;
        }
    }
    return 0;
}

inline std::size_t mappings() {
    std::ifstream file("/proc/self/maps");
    std::size_t n = 0;
    for (std::string line; std::getline(file, line);) {
        ++n;
    }
    return n;
}

inline std::vector<stack*> take(stack_pool& pool, std::size_t count, std::size_t size) {
    std::vector<stack*> taken;
    for (std::size_t i = 0; i < count; ++i) {
        taken.push_back(pool.acquire(size));
        if (taken.back() == nullptr) {
            ADD_FAILURE() << "no stack " << i;
            taken.pop_back();
            break;
        }
    }
    return taken;
}

inline void give_back(stack_pool& pool, const std::vector<stack*>& all) {
    for (stack* s : all) {
        pool.release(s);
    }
}

inline void write_every_page(stack& s) {
    for (std::byte* at = s.base + guard_bytes(); at < s.top(); at += page_size()) {
        *at = std::byte{1};
    }
}

/// Counts what is mapped, and lets the n-th call from now fail.
class memory_calls {
public:
    memory_calls() {
        stack_memory = {&map, &unmap, &advise, &protect, &unlock};
        mapped.clear();
        fail_at = 0;
        protect_limit = -1;
        no_guards = false;
    }
    ~memory_calls() { stack_memory = original; }

    static std::size_t mapped_bytes() {
        std::size_t sum = 0;
        for (const auto& [start, length] : mapped) {
            sum += length;
        }
        return sum;
    }

    static inline int fail_at = 0; ///< 1: the next call
    static inline int error = ENOMEM;
    static inline int protect_limit = -1; ///< so many guards may be made by mprotect
    static inline bool no_guards = false; ///< as a kernel before 6.13

private:
    static bool fails() {
        errno = error;
        return fail_at > 0 && --fail_at == 0;
    }

    static void* map(void* where, std::size_t n, int protection, int flags, int fd, off_t offset) {
        if (fails()) {
            return MAP_FAILED;
        }
        void* start = original.map(where, n, protection, flags, fd, offset);
        if (start != MAP_FAILED) {
            mapped[start] = n;
        }
        return start;
    }
    static int unmap(void* start, std::size_t n) {
        EXPECT_EQ(mapped[start], n);
        mapped.erase(start);
        return original.unmap(start, n);
    }
    static int advise(void* start, std::size_t n, int advice) {
        if (no_guards && advice == 102) {
            errno = EINVAL;
            return -1;
        }
        return fails() ? -1 : original.advise(start, n, advice);
    }
    static int protect(void* start, std::size_t n, int protection) {
        if (protection == PROT_NONE && protect_limit >= 0 && protect_limit-- == 0) {
            protect_limit = 0;
            errno = ENOMEM;
            return -1;
        }
        return fails() ? -1 : original.protect(start, n, protection);
    }
    static int unlock(const void* start, std::size_t n) {
        return fails() ? -1 : original.unlock(start, n);
    }

    static inline const stack_memory_calls original = stack_memory;
    static inline std::map<void*, std::size_t> mapped;
};

/// Leaves no guard method behind.
class StackTest : public testing::Test {
protected:
    ~StackTest() override { set_guard_method(guard_method::kernel); }
};

} // namespace tendril::detail
