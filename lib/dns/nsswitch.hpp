// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace tendril::detail::dns {

/// How a source of nsswitch.conf(5) answered. The values index `host_source::go_on`.
enum class source_status : std::uint8_t { success, not_found, unavailable, try_again };

enum class source_kind : std::uint8_t {
    files,
    dns,
    mdns_minimal, ///< knows names under .local only
    my_host_name, ///< knows this host's name, localhost and _gateway only
    other         ///< a module of libc's that we do not have
};

struct host_source {
    source_kind kind = source_kind::other;
    /// By source_status: whether the next source is asked then.
    std::array<bool, 4> go_on{false, true, true, true};
};

struct host_sources {
    std::vector<host_source> list;
    bool foreign = false; ///< uses what only libc itself can do (merge)
};

/// The `hosts:` line of nsswitch.conf; "files dns" when there is none.
host_sources parse_nsswitch(std::string_view text);

std::shared_ptr<const host_sources> current_host_sources();

/// Whether a source of another kind than files and dns could know this name. False only when it
/// surely does not, so that it can be passed over as "not found" or "unavailable".
bool may_know(source_kind kind, std::string_view name);

} // namespace tendril::detail::dns
