// SPDX-License-Identifier: BSL-1.0
#include "dns/mode.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tendril::detail::dns {

resolver_mode mode() {
    static const resolver_mode read = [] {
        const char* variable = std::getenv("TENDRIL_RESOLVER");
        const std::string_view name = variable != nullptr ? variable : "";
        if (name == "thread") {
            return resolver_mode::thread;
        }
        if (name == "block") {
            return resolver_mode::block;
        }
        if (name != "ares" && !name.empty()) {
            std::fprintf(stderr,
                         "tendril: TENDRIL_RESOLVER=%s is not valid: ares, thread or block\n",
                         variable);
        }
        return resolver_mode::ares;
    }();
    return read;
}

} // namespace tendril::detail::dns
