// SPDX-License-Identifier: BSL-1.0
#include "fiber/stack.hpp"

#include "fiber/context.hpp"
#include "fiber/overflow.hpp"
#include "fiber/stack_memory.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <sys/resource.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

namespace tendril::detail {
namespace {

constexpr int smallest_bits = 15; ///< the first shelf's stacks have 32 KiB
constexpr std::size_t smallest = std::size_t{1} << smallest_bits;
constexpr std::size_t largest_shared = std::size_t{64} << 20;
constexpr std::size_t first_slab = std::size_t{4} << 20;
constexpr std::size_t largest_slab = std::size_t{1} << 30;
constexpr std::size_t warm_bytes = std::size_t{64} << 20;
constexpr std::size_t warm_stacks = 256;

void register_with_valgrind(stack& s) noexcept {
#ifdef VALGRIND_STACK_REGISTER
    s.valgrind_id = static_cast<std::uint32_t>(VALGRIND_STACK_REGISTER(s.base, s.top()));
#else
    (void)s;
#endif
}

/// The memory goes.
void retire(stack& s) noexcept {
    retire_context(s);
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(s.valgrind_id);
#endif
    ++s.home->returned;
}

void retire_all(stack* s) noexcept {
    while (s != nullptr) {
        stack* following = s->next_free;
        retire(*s);
        s = following;
    }
}

/// Of the calling thread, without I/O: pages of memory it touched for the first time.
std::uint64_t page_faults() noexcept {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return static_cast<std::uint64_t>(usage.ru_minflt);
}

} // namespace

constexpr std::size_t stack_pool::shelf_size(std::size_t index) noexcept {
    const std::size_t octave = smallest << (index / 4);
    return octave + octave / 4 * (index % 4);
}

std::size_t stack_pool::shelf_for(std::size_t size) noexcept {
    if (size > largest_shared) {
        return single_shelf;
    }
    std::size_t index = 0;
    if (size > smallest) {
        const auto octave = static_cast<std::size_t>(std::bit_width(size - 1)) - 1;
        const std::size_t step = std::size_t{1} << (octave - 2);
        const std::size_t steps = (size - (std::size_t{1} << octave) + step - 1) / step;
        index = (octave - smallest_bits) * 4 + steps;
    }
    while (shelf_size(index) % page_size() != 0) { // on machines with large pages
        ++index;
    }
    return index;
}

std::size_t stack_pool::round_slow(std::size_t size) noexcept {
    static_assert(shelf_size(default_shelf) == default_stack_size);
    static_assert(shelf_size(single_shelf - 1) == largest_shared);
    if (size > maximum_stack_size) {
        return 0;
    }
    const std::size_t index = shelf_for(size);
    return index != single_shelf ? shelf_size(index)
                                 : (size + page_size() - 1) / page_size() * page_size();
}

std::size_t minimum_stack_size() noexcept {
    long frame = -1;
#ifdef _SC_MINSIGSTKSZ
    frame = ::sysconf(_SC_MINSIGSTKSZ);
#endif
    const std::size_t two_frames = 2 * (frame > 0 ? static_cast<std::size_t>(frame) : 2048);
    // A page for what lies above the fiber's own frames.
    const std::size_t usable = std::max(two_frames + page_size(), smallest - guard_size);
    return guard_bytes() + (usable + page_size() - 1) / page_size() * page_size();
}

stack_pool::stack_pool() noexcept {
    for (std::size_t i = 0; i < single_shelf; ++i) {
        shelves_[i].warm_limit = static_cast<std::uint32_t>(
            std::clamp(warm_bytes / shelf_size(i), std::size_t{1}, warm_stacks));
    }
    shelves_[single_shelf].warm_limit = 1;
}

stack_pool::~stack_pool() {
    for (shelf& each : shelves_) {
        retire_all(each.warm);
        retire_all(each.cold);
    }
    while (slabs_ != nullptr) {
        slab* s = slabs_;
        slabs_ = s->next;
        if (s->returned == s->carved) {
            unmap_slab(s);
        } else {
            delete s; // the memory stays: its fibers were abandoned, others may point into it
        }
    }
}

stack* stack_pool::acquire_slow(std::size_t size) noexcept {
    const std::size_t wanted = rounded(size);
    if (wanted == 0) {
        return nullptr;
    }
    const std::size_t index = shelf_for(wanted);
    shelf& here = shelves_[index];
    if (index == single_shelf && here.warm != nullptr && here.warm->size != wanted) {
        return carve(here, index, wanted);
    }
    if (here.warm != nullptr) {
        return take(here.warm, here.warm_count);
    }
    if (here.cold != nullptr) {
        return take(here.cold, here.cold_count);
    }
    return carve(here, index, wanted);
}

/// A new stack.
/// How far below the end the descriptor lies. The first-level cache is indexed by the address
/// within the page, so stacks whose tops lay alike would all compete for a few lines of it (1,000
/// fibers: three times the time per switch). Steps of 256 bytes, because Boost.Context aligns to
/// that; what is left of the page suffices for the frames of a parked fiber.
constexpr std::size_t colour(std::size_t index) noexcept {
    constexpr std::size_t colours = 12;
    return index % colours * 256;
}

stack* stack_pool::carve(shelf& from, std::size_t index, std::size_t size) noexcept {
    slab* home = from.current;
    if (home == nullptr || home->unused == home->end) {
        home = add_slab(from, size);
        if (home == nullptr) {
            return nullptr;
        }
    }
    std::byte* base = home->unused;
    const int saved = errno; // of the fiber on whose stack the hub works
    const guard_result guard = guard_stack(base, *home);
    errno = saved;
    if (guard == guard_result::out_of_memory) {
        if (index == single_shelf) {
            drop_slab(from, home); // the next one may want another size
        }
        return nullptr;
    }
    home->unused += size;
    ++home->carved;
    ++made_;
    auto* s = ::new (base + size - sizeof(stack) - colour(home->carved)) stack;
    s->base = base;
    s->size = size;
    s->home = home;
    s->shelf = static_cast<std::uint8_t>(index);
    s->guarded = guard == guard_result::guarded;
    unguarded_ += s->guarded ? 0 : 1;
    register_with_valgrind(*s);
    return s;
}

slab* stack_pool::add_slab(shelf& to, std::size_t stack_size) noexcept {
    const bool single = &to == &shelves_[single_shelf];
    const std::size_t bytes = std::min(first_slab << std::min(to.slabs, 8u), largest_slab);
    const int saved = errno;
    slab* s = map_slab(stack_size, single ? 1 : std::max(bytes / stack_size, std::size_t{1}));
    errno = saved;
    if (s != nullptr) {
        s->next = slabs_;
        slabs_ = s;
        to.current = s;
        ++to.slabs;
    }
    return s;
}

/// Called with as many warm stacks as there may be: the older half becomes cold.
void stack_pool::make_room(shelf& full) noexcept {
    if (&full == &shelves_[single_shelf]) {
        drop_single(full);
        return;
    }
    const std::uint32_t kept = full.warm_limit / 2;
    stack** rest = &full.warm;
    for (std::uint32_t i = 0; i < kept; ++i) {
        rest = &(*rest)->next_free;
    }
    const std::uint32_t moved = full.warm_count - kept;
    const bool trim = deep_pages_likely(moved);
    stack** last = rest;
    for (std::uint32_t i = 0; i < moved; ++i) {
        if (trim) {
            trim_stack(**last);
        }
        last = &(*last)->next_free;
    }
    *last = full.cold;
    full.cold = *rest;
    *rest = nullptr;
    full.warm_count = kept;
    full.cold_count += moved;
}

/// Asked before `stacks` stacks become cold. A trim is a system call, and nearly always in vain.
/// But a deep call faults pages in, and the kernel counts a thread's faults: while there was hardly
/// more than one per new stack, no stack is deep. Otherwise every stack there is gets trimmed once.
bool stack_pool::deep_pages_likely(std::size_t stacks) noexcept {
    const std::uint64_t faults = page_faults();
    const std::size_t fresh = made_ - made_seen_;
    if (faults - faults_seen_ > fresh + fresh / 4 + stacks / 2) {
        to_trim_ = made_;
    }
    faults_seen_ = faults;
    made_seen_ = made_;
    const bool likely = to_trim_ != 0;
    to_trim_ -= std::min(to_trim_, stacks);
    return likely;
}

/// Unmaps the one that is pooled; the next one takes its place.
void stack_pool::drop_single(shelf& singles) noexcept {
    stack* s = singles.warm;
    singles.warm = nullptr;
    singles.warm_count = 0;
    --made_;
    made_seen_ = std::min(made_seen_, made_);
    unguarded_ -= s->guarded ? 0 : 1;
    slab* home = s->home;
    retire(*s);
    drop_slab(singles, home);
}

void stack_pool::drop_slab(shelf& from, slab* s) noexcept {
    slab** link = &slabs_;
    while (*link != s) {
        link = &(*link)->next;
    }
    *link = s->next;
    if (from.current == s) {
        from.current = nullptr;
    }
    unmap_slab(s);
}

void stack_pool::check_canary_words(const stack& s) noexcept {
    if (!canary_intact(s.base)) {
        report_overflow(s);
        std::abort();
    }
}

std::size_t stack_pool::pooled() const noexcept {
    std::size_t n = 0;
    for (const shelf& each : shelves_) {
        n += each.warm_count + each.cold_count;
    }
    return n;
}

stack_statistics stack_pool::statistics() const noexcept {
    const std::size_t idle = pooled();
    return {made_ - idle, idle, unguarded_};
}

} // namespace tendril::detail
