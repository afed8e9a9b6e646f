// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace tendril::detail {

/// Memory of tasks that are gone, for the next ones of the same thread: malloc and free are a fifth
/// of what it takes to spawn and join. Any thread's block may be given back here. Sanitizers need
/// to see each task's memory come and go, so there it keeps nothing.
class task_cache {
public:
    task_cache() = default;
    ~task_cache() { clear(); }
    task_cache(const task_cache&) = delete;
    task_cache& operator=(const task_cache&) = delete;

    /// How much to allocate for a task of that size, so that the block can be given back here.
    static constexpr std::size_t rounded(std::size_t size) noexcept {
        return (size + granule - header - 1) / granule * granule + header;
    }

    /// Null: there is none.
    void* take(std::size_t size) noexcept {
        if (size > largest) {
            return nullptr;
        }
        shelf& s = shelves_[(size - header - 1) / granule];
        block* b = s.first;
        if (b != nullptr) {
            s.first = b->next;
            --s.count;
        }
        return b;
    }

    /// False: no room, it is still the caller's.
    bool give(void* memory, std::size_t size) noexcept {
        if (size > largest) {
            return false;
        }
        shelf& s = shelves_[(size - header - 1) / granule];
        if (s.count == most) {
            return false;
        }
        s.first = ::new (memory) block{s.first};
        ++s.count;
        return true;
    }

    void clear() noexcept {
        for (shelf& s : shelves_) {
            while (block* b = s.first) {
                s.first = b->next;
                ::operator delete(b);
            }
            s.count = 0;
        }
    }

private:
    struct block {
        block* next;
    };
    struct shelf {
        block* first = nullptr;
        std::uint32_t count = 0;
    };

    static constexpr std::size_t granule = 64;
    static constexpr std::size_t header = 8; ///< malloc's own fits what is left of its 16 bytes
#if defined(TENDRIL_ASAN) || defined(TENDRIL_TSAN)
    static constexpr std::size_t largest = 0;
#else
    static constexpr std::size_t largest = 4 * granule + header;
#endif
    static constexpr std::uint32_t most = 256; ///< of each size

    std::array<shelf, 4> shelves_;
};

} // namespace tendril::detail
