// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/channel.hpp"
#include "dns/resolv_conf.hpp"
#include "hub/hub_core.hpp"

#include <netdb.h>

#include <memory>
#include <unordered_map>
#include <vector>

namespace tendril::detail::dns {

/// How the two questions of one name go to a server. Learned from servers that answer only one of
/// two questions from the same port; forgotten when the configuration changes.
enum class pair_mode : std::uint8_t { together, one_by_one, one_by_one_from_new_ports };

/// A fiber's result of gethostbyname(3): what it points to stays until the fiber's next such call.
struct static_host {
    hostent entry{};
    std::vector<char> buffer = std::vector<char>(1024);
};

/// What a hub keeps for finding names.
class resolver final : public hub_extension {
public:
    explicit resolver(hub_core& hub)
        : hub_(hub) {}

    static resolver& of(hub_core& hub);

    /// A channel with room for `questions` more, other than `avoid`. Throws std::bad_alloc.
    std::shared_ptr<channel> find_channel(const channel_settings& settings, std::size_t questions,
                                          const channel* avoid = nullptr);

    /// Frees idle channels, but for a few.
    void trim() noexcept;

    /// Forgets what was learned if this is another configuration than last time.
    pair_mode& learned(const std::shared_ptr<const resolv_conf>& conf);

    static_host& result_of(const fiber_record& fiber) { return results_[&fiber]; }

    hub_core& hub() noexcept { return hub_; }

    void forked() override;
    void ending() noexcept override;

private:
    hub_core& hub_;
    std::vector<std::shared_ptr<channel>> channels_;
    std::shared_ptr<const resolv_conf> conf_;
    pair_mode pair_mode_ = pair_mode::together;
    std::unordered_map<const fiber_record*, static_host> results_; ///< records are recycled
};

} // namespace tendril::detail::dns
