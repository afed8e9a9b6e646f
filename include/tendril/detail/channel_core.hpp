// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/wait_queue.hpp>
#include <tendril/export.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace tendril {
namespace detail {

/// What a channel must know of its elements.
struct element_type {
    std::size_t size;
    std::size_t align;
    void (*move)(void* to, void* from) noexcept; ///< constructs; null: as bytes
    void (*destroy)(void* element) noexcept;     ///< likewise, null: nothing to do
};

template <typename T>
void move_element(void* to, void* from) noexcept {
    ::new (to) T(std::move(*static_cast<T*>(from)));
}

template <typename T>
void destroy_element(void* element) noexcept {
    static_cast<T*>(element)->~T();
}

template <typename T>
inline constexpr element_type element_type_of = {
    sizeof(T), alignof(T), std::is_trivially_copyable_v<T> ? nullptr : &move_element<T>,
    std::is_trivially_copyable_v<T> ? nullptr : &destroy_element<T>};

/// Room for one element that may come.
template <typename T>
union element_slot {
    element_slot() noexcept {}
    ~element_slot() {}
    T value;
};

/// Destroys it in the end.
template <typename T>
struct element_end {
    element_slot<T>& room;
    ~element_end() { room.value.~T(); }
};

/// One thing that a select may do.
struct select_case {
    class channel_core* channel = nullptr;
    void* value = nullptr; ///< to move from, or room to move into
    bool sends = false;
    select_case* next = nullptr; ///< by address of the channel
    void* node[8] = {};          ///< the library's, while it waits
};

/// Hands elements from those who send to those who receive, in the order of their coming.
class TENDRIL_EXPORT channel_core {
public:
    channel_core(const element_type& type, std::size_t capacity); ///< may throw std::bad_alloc
    ~channel_core();
    channel_core(const channel_core&) = delete;
    channel_core& operator=(const channel_core&) = delete;

    /// Moves from *value if `done`, else leaves it alone.
    outcome send(void* value, steady_time deadline);
    /// Constructs *room if `done`, else leaves it alone.
    outcome receive(void* room, steady_time deadline);
    void close() noexcept;
    bool closed() const noexcept;
    bool drained() const noexcept; ///< closed and empty
    std::size_t size() const noexcept;
    std::size_t capacity() const noexcept { return capacity_; }

private:
    friend struct channel_access;

    mutable wait_queue queue_; // its word is a lock for all of this; in its list are who receives
    waiter* senders_ = nullptr;
    const element_type& type_;
    unsigned char* ring_ = nullptr;
    std::size_t capacity_;
    std::size_t first_ = 0; ///< of `count_` elements in the ring
    std::size_t count_ = 0;
    bool closed_ = false;
};

/// Does the first of `count` cases that can be done, from a random one on, or waits until one can.
/// Returns its index, or `count` if the deadline passed. `closed`: it failed because its channel
/// is.
TENDRIL_EXPORT std::size_t select_one(select_case* cases, std::size_t count, steady_time deadline,
                                      outcome& how);

[[noreturn]] TENDRIL_EXPORT void throw_channel_closed();
[[noreturn]] TENDRIL_EXPORT void throw_no_channel();

} // namespace detail
} // namespace tendril
