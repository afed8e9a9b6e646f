// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hub/hub_core.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>

/// Hubs that wait for a FILE of another thread look again now and then, for nobody tells them when
/// it is free; who takes it again at once would never be seen to let go of it. So they are counted,
/// by the FILE's address, and holders step aside for them. FILEs that share a count step aside in
/// vain at times.
namespace tendril::detail::stdio {

/// How long they may have to wait before others step aside.
inline constexpr std::chrono::milliseconds patience{10};

class waiting_hub {
public:
    waiting_hub(const FILE* file, hub_core& hub) noexcept;
    ~waiting_hub();
    waiting_hub(const waiting_hub&) = delete;
    waiting_hub& operator=(const waiting_hub&) = delete;

    static bool any(const FILE* file) noexcept {
        return count_of(file).waiting.load(std::memory_order_relaxed) != 0;
    }
    /// One has waited longer than that.
    static bool is_overdue(const FILE* file, hub_core& hub) noexcept {
        return any(file) && is_long_ago(count_of(file), hub);
    }

private:
    struct count {
        std::atomic<std::uint32_t> waiting{0};
        std::atomic<time_point::rep> since{0}; ///< the last of them got it, or the first came
    };
    static constexpr std::size_t size = 64;
    static count counts[size];

    static count& count_of(const FILE* file) noexcept {
        return counts[reinterpret_cast<std::uintptr_t>(file) / 16 % size];
    }
    static bool is_long_ago(const count& c, hub_core& hub) noexcept;
    static void begin(count& c, hub_core& hub) noexcept;
    static void forget() noexcept;

    hub_core& hub_;
    count& count_;
};

} // namespace tendril::detail::stdio
