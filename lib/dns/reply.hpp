// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/numeric_address.hpp"

#include <string>
#include <vector>

namespace tendril::detail::dns {

using message_bytes = std::vector<unsigned char>;

/// The fixed part of a message (RFC 1035 section 4.1.1).
struct reply_header {
    int rcode = 0;
    unsigned answers = 0;
    unsigned additional = 0;
    bool authoritative = false;
    bool truncated = false;
    bool recursion_available = false;

    static reply_header of(const message_bytes& message) noexcept; ///< of at least 12 bytes
};

/// What the answer section says, read with libc's own parser (ns_initparse(3)): that of c-ares 1.18
/// gives the second name of a CNAME chain for the canonical one.
struct reply_records {
    bool malformed = false;
    std::vector<std::string> names; ///< the question and the CNAME targets, as far as host names
    bool question_is_host_name = false;
    std::vector<ip_address> addresses; ///< of the type asked for
    std::string pointer;               ///< the first PTR target
    bool pointer_is_bad = false;       ///< it is no host name

    static reply_records of(const message_bytes& message);
};

} // namespace tendril::detail::dns
