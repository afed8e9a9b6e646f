// SPDX-License-Identifier: BSL-1.0
//
// Functions that never wait, but whose results libc keeps per thread, until the next call of any
// fiber: here of this fiber.
#include "shims/ops/call.hpp"
#include "shims/ops/fiber_result.hpp"
#include "shims/ops/operations.hpp"

#include <array>
#include <cstdio>
#include <cstring>

namespace tendril::detail::shim::ops {

namespace {

template <typename Tag>
struct text {
    std::array<char, 256> bytes{};
};

template <typename Tag>
char* keep(const char* from) noexcept {
    auto* const own = from != nullptr ? result_of_fiber<text<Tag>>() : nullptr;
    if (own == nullptr) {
        return const_cast<char*>(from);
    }
    std::snprintf(own->bytes.data(), own->bytes.size(), "%s", from);
    return own->bytes.data();
}

} // namespace

char* strerror(int number) noexcept {
    struct tag;
    return serve(
        tendril_shim_index_strerror,
        [&](hub_core&, io::options&) {
            const errno_kept kept;
            auto* const own = result_of_fiber<text<tag>>();
            // GNU's: what it knows it has no need to write down.
            return own == nullptr ? libc.strerror(number)
                                  : ::strerror_r(number, own->bytes.data(), own->bytes.size());
        },
        [&] { return libc.strerror(number); });
}

char* strerror_l(int number, locale_t locale) noexcept {
    struct tag;
    return serve(
        tendril_shim_index_strerror_l,
        [&](hub_core&, io::options&) {
            const errno_kept kept;
            char* const said = libc.strerror_l(number, locale);
            return ::strerrordesc_np(number) != nullptr ? said : keep<tag>(said);
        },
        [&] { return libc.strerror_l(number, locale); });
}

char* strsignal(int number) noexcept {
    struct tag;
    return serve(
        tendril_shim_index_strsignal,
        [&](hub_core&, io::options&) {
            const errno_kept kept;
            char* const said = libc.strsignal(number);
            return ::sigdescr_np(number) != nullptr ? said : keep<tag>(said);
        },
        [&] { return libc.strsignal(number); });
}

char* inet_ntoa(struct in_addr address) noexcept {
    struct tag;
    return serve(
        tendril_shim_index_inet_ntoa,
        [&](hub_core&, io::options&) {
            const errno_kept kept;
            return keep<tag>(libc.inet_ntoa(address));
        },
        [&] { return libc.inet_ntoa(address); });
}

} // namespace tendril::detail::shim::ops
