// SPDX-License-Identifier: BSL-1.0
#include "dns/resolver.hpp"

#include <algorithm>

namespace tendril::detail::dns {

namespace {

/// So few that even large replies to all fit into a socket's buffer.
constexpr std::size_t most_questions_per_channel = 100;
constexpr std::size_t idle_channels_kept = 4;

} // namespace

resolver& resolver::of(hub_core& hub) {
    std::unique_ptr<hub_extension>& slot = hub.extension(extension_slot::dns);
    if (slot == nullptr) {
        slot = std::make_unique<resolver>(hub);
    }
    return static_cast<resolver&>(*slot);
}

std::shared_ptr<channel> resolver::find_channel(const channel_settings& settings,
                                                std::size_t questions, const channel* avoid) {
    // A TCP connection serves one name: a server may close it after its answer.
    const std::size_t most = settings.tcp ? questions : most_questions_per_channel;
    for (const std::shared_ptr<channel>& c : channels_) {
        if (c.get() != avoid && c->open() + questions <= most && c->settings() == settings) {
            return c;
        }
    }
    channels_.push_back(std::make_shared<channel>(hub_, settings));
    return channels_.back();
}

void resolver::trim() noexcept {
    std::size_t kept = 0;
    std::erase_if(channels_, [&kept](const std::shared_ptr<channel>& c) {
        return c->idle() && ++kept > idle_channels_kept;
    });
}

pair_mode& resolver::learned(const std::shared_ptr<const resolv_conf>& conf) {
    if (conf != conf_) {
        conf_ = conf;
        pair_mode_ = pair_mode::together;
        std::erase_if(channels_, [](const std::shared_ptr<channel>& c) { return c->idle(); });
    }
    return pair_mode_;
}

void resolver::forked() {
    // The parent's questions stay the parent's: not a byte goes out, nobody here waits.
    for (const std::shared_ptr<channel>& c : channels_) {
        c->mute();
    }
    channels_.clear();
}

void resolver::ending() noexcept {
    forked();
}

} // namespace tendril::detail::dns
