// SPDX-License-Identifier: BSL-1.0
#include "fiber/stack_memory.hpp"

#include "sys/calls.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace tendril::detail {

constinit stack_memory_calls stack_memory{&::mmap, &::munmap, &::madvise, &::mprotect, &::munlock};

namespace {

/// Linux 6.13; not in the headers of older distributions.
constexpr int madv_guard_install = 102;

/// One page of page table covers so much, so a default stack's guard and top share it.
constexpr std::size_t slab_alignment = std::size_t{2} << 20;

std::atomic<guard_method> method{guard_method::kernel};
std::atomic<std::size_t> fences{0};

std::size_t round_up(std::size_t n, std::size_t unit) noexcept {
    return (n + unit - 1) / unit * unit;
}

bool map(slab& s, std::size_t bytes) noexcept {
    const std::size_t length = bytes + slab_alignment;
    // Without access first: under mlockall(MCL_FUTURE) the kernel would fill all of it with memory.
    void* start = stack_memory.map(nullptr, length, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return false;
    }
    // Locked memory also takes neither guards nor MADV_DONTNEED.
    stack_memory.unlock(start, length);
    s.mapping = static_cast<std::byte*>(start);
    s.mapped = length;
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    s.memory = s.mapping + (round_up(address, slab_alignment) - address);
    s.unused = s.memory;
    s.end = s.memory + bytes;
    if (stack_memory.protect(s.memory, bytes, PROT_READ | PROT_WRITE) != 0) {
        stack_memory.unmap(start, length);
        return false;
    }
    // Refused by kernels without huge pages, where it is not needed.
    stack_memory.advise(s.memory, bytes, MADV_NOHUGEPAGE);
    return true;
}

/// How many guards mprotect may make. Each splits a mapping off and leaves one above; some are left
/// to the program, whose mmap, and so malloc, would fail next.
std::size_t fence_limit() noexcept {
    static const std::size_t limit = [] {
        char text[24] = {};
        const int fd = ::open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (sys::real.read(fd, text, sizeof text - 1) < 0) {
                text[0] = 0;
            }
            sys::real.close(fd);
        }
        std::size_t maps = std::strtoull(text, nullptr, 10);
        maps = maps != 0 ? maps : 65'530; // DEFAULT_MAX_MAP_COUNT in linux/mm.h
        return (maps - maps / 8) / 2;
    }();
    return limit;
}

void report_no_more_guards() noexcept {
    static std::atomic<bool> reported{false};
    if (!reported.exchange(true)) {
        std::fputs(
            "tendril: no more guard pages within vm.max_map_count (sysctl(8)): an overflow of "
            "further fiber stacks is noticed only when the fiber ends\n",
            stderr);
    }
}

guard_result guard_by_kernel(std::byte* base, const slab& in) noexcept {
    if (stack_memory.advise(base, guard_bytes(), madv_guard_install) == 0) {
        return guard_result::guarded;
    }
    if (errno == EINVAL) {
        // Either this kernel does not know it, or the program called mlockall since.
        stack_memory.unlock(in.memory, static_cast<std::size_t>(in.end - in.memory));
        if (stack_memory.advise(base, guard_bytes(), madv_guard_install) == 0) {
            return guard_result::guarded;
        }
    }
    return errno == ENOMEM ? guard_result::out_of_memory : guard_result::canary;
}

bool guard_by_fence(std::byte* base, slab& in) noexcept {
    if (fences.fetch_add(1, std::memory_order_relaxed) < fence_limit() &&
        stack_memory.protect(base, guard_bytes(), PROT_NONE) == 0) {
        ++in.fences;
        return true;
    }
    fences.fetch_sub(1, std::memory_order_relaxed);
    return false;
}

void fall_back(guard_method from, guard_method to) noexcept {
    method.compare_exchange_strong(from, to, std::memory_order_relaxed);
}

std::uintptr_t canary_word(const std::uintptr_t* at) noexcept {
    return reinterpret_cast<std::uintptr_t>(at) ^ static_cast<std::uintptr_t>(0x5ca1ab1e'0ddba11dU);
}

} // namespace

void set_guard_method(guard_method best) noexcept {
    method.store(best, std::memory_order_relaxed);
}

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

std::size_t guard_bytes() noexcept {
    return round_up(guard_size, page_size());
}

slab* map_slab(std::size_t stack_size, std::size_t count) noexcept {
    auto* s = new (std::nothrow) slab;
    for (; s != nullptr && count != 0; count /= 2) {
        if (map(*s, stack_size * count)) {
            return s;
        }
    }
    delete s;
    return nullptr;
}

void unmap_slab(slab* s) noexcept {
    fences.fetch_sub(s->fences, std::memory_order_relaxed);
    stack_memory.unmap(s->mapping, s->mapped);
    delete s;
}

guard_result guard_stack(std::byte* base, slab& in) noexcept {
    switch (method.load(std::memory_order_relaxed)) {
    case guard_method::kernel:
        if (const guard_result r = guard_by_kernel(base, in); r != guard_result::canary) {
            return r;
        }
        fall_back(guard_method::kernel, guard_method::mprotect);
        [[fallthrough]];
    case guard_method::mprotect:
        if (guard_by_fence(base, in)) {
            return guard_result::guarded;
        }
        fall_back(guard_method::mprotect, guard_method::canary);
        report_no_more_guards();
        [[fallthrough]];
    case guard_method::canary:
        break;
    }
    auto* word = reinterpret_cast<std::uintptr_t*>(base);
    for (const auto* end = word + page_size() / sizeof *word; word != end; ++word) {
        *word = canary_word(word);
    }
    return guard_result::canary;
}

bool canary_intact(const std::byte* base) noexcept {
    const auto* word = reinterpret_cast<const std::uintptr_t*>(base);
    const auto* end = word + page_size() / sizeof *word;
    while (word != end && *word == canary_word(word)) {
        ++word;
    }
    return word == end;
}

void trim_stack(stack& s) noexcept {
    // The parked loop's frames, Boost's record and the descriptor take a fraction of this.
    const std::size_t kept = round_up(std::size_t{8} << 10, page_size());
    stack_memory.advise(s.base + guard_bytes(), s.size - guard_bytes() - kept, MADV_DONTNEED);
}

} // namespace tendril::detail
