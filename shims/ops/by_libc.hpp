// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/h_error.hpp"
#include "hub/foreign_call.hpp"
#include "io/file.hpp"
#include "shims/ops/call.hpp"

#include <cerrno>
#include <netdb.h>

namespace tendril::detail::shim {

/// A call that libc, or what it loads, makes in one go: on a worker thread, unless nothing else
/// would run here meanwhile. Nothing ends the wait, for the call uses the caller's memory. errno
/// and h_errno come with it.
template <typename Call>
auto by_libc(hub_core& hub, const char* what, io::options& o, Call call) noexcept
    -> decltype(call()) {
    struct outcome {
        decltype(call()) result;
        int error;
        int h_error;
    };
    const int error = errno;
    const int h_error = h_errno;
    const outcome out = io::on_disk(hub, {wait_kind::other, what}, o, [&] {
        const foreign_call_guard guard;
        errno = error;
        h_errno = h_error;
        const auto result = call();
        return outcome{result, errno, h_errno};
    });
    errno = out.error;
    dns::set_h_errno(hub, out.h_error);
    return out.result;
}

} // namespace tendril::detail::shim
