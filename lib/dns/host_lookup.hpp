// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/hosts.hpp"
#include "dns/nsswitch.hpp"

#include "base/timer_queue.hpp"

#include <string>

namespace tendril::detail::dns {

/// What the sources of the `hosts:` line say about a name or an address.
struct host_result {
    source_status status = source_status::unavailable;
    int h_error = 0;
    int error = 0;            ///< errno, if h_error is NETDB_INTERNAL
    bool libc_needed = false; ///< a source was reached that only libc has: ask libc for everything
    host_entry host;          ///< if the status is success
};

/// Which of libc's lookup functions is followed; they differ in what they take and say.
enum class lookup_form {
    all_families,  ///< gethostbyname4_r: A and AAAA at once, addresses as hosts(5) has them
    one_family,    ///< gethostbyname2_r: the name must be a host name
    one_family_any ///< gethostbyname3_r: any name
};

/// One source. Parks the calling fiber while name servers are asked.
host_result ask_source(const host_source& source, const std::string& name, int family,
                       lookup_form form, time_point deadline);

/// All sources in their order, by name or by address.
host_result find_host(const std::string& name, int family, lookup_form form, time_point deadline);
host_result find_host(const ip_address& address, time_point deadline);

} // namespace tendril::detail::dns
