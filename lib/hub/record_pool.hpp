// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/record.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace tendril::detail {

/// A hub's records, used ones and free ones. They stay where they are as long as the hub, which is
/// for ever: that is what makes tickets safe to hold.
class record_pool {
public:
    explicit record_pool(hub_core& home) noexcept
        : home_(home) {}

    /// One that nobody uses. Throws std::bad_alloc.
    fiber_record& take() {
        if (free_ == nullptr) [[unlikely]] {
            grow();
        }
        fiber_record& r = *free_;
        free_ = r.next;
        return r;
    }

    /// The ticket word stays: it only ever grows.
    void give(fiber_record& r) noexcept {
        r.job = nullptr;
        r.stk = nullptr;
        r.next = free_;
        free_ = &r;
    }

    std::size_t size() const noexcept { return slabs_.size() * records_per_slab; }
    fiber_record& operator[](std::size_t i) const noexcept {
        return slabs_[i / records_per_slab].records[i % records_per_slab];
    }
    /// The record at that address. Null: there is none of this hub, and it may not be read.
    const fiber_record* find(const void* address) const noexcept;

    /// Free ones and those of guests too.
    template <typename Visit>
    void for_each(Visit visit) {
        for (std::size_t s = 0; s < slabs_.size(); ++s) { // a visit may add some
            for (std::size_t i = 0; i < records_per_slab; ++i) {
                visit(slabs_[s].records[i]);
            }
        }
    }

    /// Those of fibers of the hub's own.
    template <typename Visit>
    void for_each_live(Visit visit) {
        for_each([&visit](fiber_record& r) {
            if (r.job != nullptr) {
                visit(r);
            }
        });
    }

private:
    struct slab {
        std::unique_ptr<fiber_record[]> records;
        std::unique_ptr<fiber_extra[]> extras;
    };

    static constexpr std::size_t records_per_slab = 256;

    void grow();

    fiber_record* free_ = nullptr;
    std::vector<slab> slabs_;
    hub_core& home_;
};

} // namespace tendril::detail
