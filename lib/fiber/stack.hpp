// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#ifdef TENDRIL_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace tendril::detail {

struct slab;

/// Descriptor of a fiber stack. It lies at the top of the stack's own memory, in the page that the
/// first frame touches anyway.
struct alignas(64) stack {
    void* tsan_fiber = nullptr; ///< ThreadSanitizer's name for the flow on this stack
    stack* next_free = nullptr; ///< in a pool's free list
    std::byte* base = nullptr;  ///< lowest address, where the guard starts
    std::size_t size = 0;       ///< base to the end, guard and this descriptor included
    slab* home = nullptr;       ///< whose memory it is
    std::uint32_t valgrind_id = 0;
    std::uint8_t shelf = 0; ///< of its size class
    bool guarded = false;   ///< by the kernel; otherwise by a canary

    std::byte* top() noexcept { return reinterpret_cast<std::byte*>(this); } ///< first frame below
};

inline constexpr std::size_t default_stack_size = std::size_t{256} << 10;
inline constexpr std::size_t maximum_stack_size = std::size_t{64} << 30;
inline constexpr std::size_t guard_size = std::size_t{16} << 10; ///< or a page, if that is larger

std::size_t minimum_stack_size() noexcept; ///< a whole number of pages, guard included

/// How the low end of a stack is protected, from the best. Each falls back to the next when the
/// kernel refuses, for the whole process.
enum class guard_method : std::uint8_t {
    kernel,   ///< MADV_GUARD_INSTALL, Linux 6.13: costs no mapping
    mprotect, ///< two of the process's vm.max_map_count mappings per stack
    canary,   ///< a page of known words, which is looked at when the fiber ends
};

/// The best method to try, for the stacks made from now on in any thread.
void set_guard_method(guard_method best) noexcept;

struct stack_statistics {
    std::size_t live = 0;      ///< handed out
    std::size_t pooled = 0;    ///< waiting for reuse
    std::size_t unguarded = 0; ///< of both, those with a canary only
};

/// A hub's stacks, carved from slabs and reused last in, first out. One thread only.
class stack_pool {
public:
    stack_pool() noexcept;
    ~stack_pool(); ///< unmaps the slabs all of whose stacks are back
    stack_pool(const stack_pool&) = delete;
    stack_pool& operator=(const stack_pool&) = delete;

    /// A stack of at least `size` bytes (rounded up to a size class); null when the address space
    /// or a limit is exhausted, or the size is above the maximum.
    stack* acquire(std::size_t size) noexcept {
        stack* s = size == default_stack_size ? acquire_warm() : nullptr;
        return s != nullptr ? s : acquire_slow(size);
    }

    /// One of the default size that has been used; null: none at hand.
    stack* acquire_warm() noexcept {
        shelf& here = shelves_[default_shelf];
        return here.warm != nullptr ? take(here.warm, here.warm_count) : nullptr;
    }

    /// The caller may still be running on `s`, until its next switch, before which it neither
    /// acquires nor releases another one.
    void release(stack* s) noexcept {
        shelf& here = shelves_[s->shelf];
        if (here.warm_count == here.warm_limit) [[unlikely]] {
            make_room(here);
        }
        s->next_free = here.warm;
        here.warm = s;
        ++here.warm_count;
    }

    /// What acquire makes of a size: the `size` of the stack that it returns; 0 above the maximum.
    static std::size_t rounded(std::size_t size) noexcept {
        return size == default_stack_size ? size : round_slow(size);
    }

    /// To be called when a fiber has ended on `s`, while it still counts as the running one (see
    /// overflow.hpp). Says so and aborts if the fiber overflowed a stack that has no better guard.
    static void check_canary(const stack& s) noexcept {
        if (!s.guarded) [[unlikely]] {
            check_canary_words(s);
        }
    }

    stack_statistics statistics() const noexcept;

private:
    /// The stacks of one size class. The warm ones come first; cold ones have given back the pages
    /// that deep calls left behind, if there were any.
    struct shelf {
        stack* warm = nullptr;
        stack* cold = nullptr;
        std::uint32_t warm_count = 0;
        std::uint32_t warm_limit = 0;
        std::uint32_t cold_count = 0;
        std::uint32_t slabs = 0;
        slab* current = nullptr; ///< where new ones are carved
    };

    // Four classes per power of two from 32 KiB to 64 MiB; beyond, each is mapped by itself.
    static constexpr std::size_t default_shelf = 12;
    static constexpr std::size_t single_shelf = 45;
    static constexpr std::size_t shelf_size(std::size_t index) noexcept;
    static std::size_t shelf_for(std::size_t size) noexcept;
    static std::size_t round_slow(std::size_t size) noexcept;
    static void check_canary_words(const stack& s) noexcept;

    static stack* take(stack*& list, std::uint32_t& count) noexcept {
        stack* s = list;
        list = s->next_free;
        --count;
#ifdef TENDRIL_ASAN
        // A fiber that ended by force (pthread_exit, a longjmp) left its frames' red zones behind.
        std::byte* low = s->base + guard_size;
        const auto length = static_cast<std::size_t>(s->top() - low);
        if (void* poisoned = __asan_region_is_poisoned(low, length)) {
            auto* from = static_cast<std::byte*>(poisoned);
            __asan_unpoison_memory_region(from, static_cast<std::size_t>(s->top() - from));
        }
#endif
        return s;
    }

    stack* acquire_slow(std::size_t size) noexcept;
    stack* carve(shelf& from, std::size_t index, std::size_t size) noexcept;
    slab* add_slab(shelf& to, std::size_t stack_size) noexcept;
    void make_room(shelf& full) noexcept;
    void drop_single(shelf& singles) noexcept;
    void drop_slab(shelf& from, slab* s) noexcept;
    bool deep_pages_likely(std::size_t stacks) noexcept;
    std::size_t pooled() const noexcept;

    std::array<shelf, single_shelf + 1> shelves_;
    slab* slabs_ = nullptr;
    std::size_t made_ = 0;
    std::size_t unguarded_ = 0;
    // See deep_pages_likely().
    std::uint64_t faults_seen_ = 0;
    std::size_t made_seen_ = 0;
    std::size_t to_trim_ = 0;
};

} // namespace tendril::detail
