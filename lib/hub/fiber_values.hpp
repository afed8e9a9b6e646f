// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/detail/context_entry.hpp>
#include <tendril/detail/local_value.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tendril::detail {

/// What one fiber keeps until it ends, by keys that only grow. Destroying a value may make others.
class fiber_values {
public:
    fiber_values() noexcept = default;
    ~fiber_values() {
        clear();
        leave(context);
    }
    fiber_values(const fiber_values&) = delete;
    fiber_values& operator=(const fiber_values&) = delete;

    local_value* find(std::uint64_t key) const noexcept {
        const auto at = place_of(key);
        return at != entries_.end() && at->key == key ? at->value.get() : nullptr;
    }

    void set(std::uint64_t key, std::unique_ptr<local_value> value) {
        auto at = place_of(key);
        const bool there = at != entries_.end() && at->key == key;
        if (value == nullptr) {
            if (there) {
                value = std::move(at->value); // ends when nothing here is touched any more
                entries_.erase(at);
            }
        } else if (there) {
            at->value.swap(value);
        } else {
            entries_.insert(at, entry{key, std::move(value)});
        }
    }

    void clear() noexcept {
        while (!entries_.empty()) {
            const std::unique_ptr<local_value> last = std::move(entries_.back().value);
            entries_.pop_back();
        }
    }

    context_entry* context = nullptr; ///< what it has inherited, and set itself on top
    std::vector<void*> kept;      ///< what kept_states took from the thread for it, by registration
    fiber_values* next = nullptr; ///< among those of abandoned fibers

private:
    struct entry {
        std::uint64_t key;
        std::unique_ptr<local_value> value;
    };

    std::vector<entry>::const_iterator place_of(std::uint64_t key) const noexcept {
        return std::lower_bound(entries_.begin(), entries_.end(), key,
                                [](const entry& e, std::uint64_t k) { return e.key < k; });
    }
    std::vector<entry>::iterator place_of(std::uint64_t key) noexcept {
        return std::lower_bound(entries_.begin(), entries_.end(), key,
                                [](const entry& e, std::uint64_t k) { return e.key < k; });
    }

    std::vector<entry> entries_;
};

/// The calling fiber's, or thread's. Null if there are none and none shall be made.
fiber_values* current_values(bool make);

/// Whether anybody ever set a context_value: until then a spawn looks no further.
extern std::atomic<bool> context_in_use;

/// For a fiber that the calling one spawns: null if there is nothing to inherit.
std::unique_ptr<fiber_values> inherit_context();

} // namespace tendril::detail
