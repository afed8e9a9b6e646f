// SPDX-License-Identifier: BSL-1.0
#include "hub/record_pool.hpp"

#include <functional>
#include <utility>

namespace tendril::detail {

void record_pool::grow() {
    slab more{std::make_unique<fiber_record[]>(records_per_slab),
              std::make_unique<fiber_extra[]>(records_per_slab)};
    fiber_record* const first = more.records.get();
    fiber_extra* const first_extra = more.extras.get();
    slabs_.push_back(std::move(more));
    for (std::size_t i = records_per_slab; i-- > 0;) {
        first[i].home = &home_;
        first[i].extra = &first_extra[i];
        first_extra[i].owner = &first[i];
        give(first[i]);
    }
}

const fiber_record* record_pool::find(const void* address) const noexcept {
    const auto* const r = static_cast<const fiber_record*>(address);
    for (const slab& s : slabs_) {
        const fiber_record* const first = s.records.get();
        if (!std::less<>()(r, first) && std::less<>()(r, first + records_per_slab)) {
            return r;
        }
    }
    return nullptr;
}

} // namespace tendril::detail
