// SPDX-License-Identifier: BSL-1.0
#include <tendril/inspect.hpp>

#include "hub/hub_core.hpp"
#include "sys/calls.hpp"

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace tendril {
inline namespace v1 {

std::vector<fiber_info> fibers() {
    detail::hub_core* const hub = detail::hub_core::current_or_null();
    return hub != nullptr ? hub->census() : std::vector<fiber_info>();
}

void dump_fibers(int fd) {
    const std::string text = to_string(fibers());
    std::string_view left = text;
    while (!left.empty()) {
        const ssize_t n = sys::real.write(fd, left.data(), left.size());
        if (n < 0 && errno == EAGAIN) {
            pollfd p = {fd, POLLOUT, 0};
            sys::real.poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            throw std::system_error(errno, std::system_category(), "dump_fibers");
        }
        left.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
    }
}

} // namespace v1
} // namespace tendril
