// SPDX-License-Identifier: BSL-1.0
//
// The current locale of a thread (uselocale(3)) is each fiber's own, from the first that sets one.
#include "shims/ops/locale.hpp"

#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"

#include <new>

namespace tendril::detail::shim::ops {

namespace {

void* take(void*) noexcept {
    const locale_t now = libc.uselocale(nullptr);
    if (now == LC_GLOBAL_LOCALE) {
        return nullptr;
    }
    libc.uselocale(LC_GLOBAL_LOCALE);
    return now;
}

void give(void*, void* locale) noexcept {
    if (locale != nullptr) {
        libc.uselocale(static_cast<locale_t>(locale));
    }
}

void drop(void*, void*) noexcept {} // the program's to free

void keep(hub_core& hub) {
    hub.keep_per_fiber({&take, &give, &drop, nullptr});
}

} // namespace

locale_t uselocale(locale_t locale) noexcept {
    return serve(
        tendril_shim_index_uselocale,
        [&](hub_core& hub, io::options&) {
            if (locale != nullptr && locale != LC_GLOBAL_LOCALE) {
                try {
                    keep(hub);
                } catch (const std::bad_alloc&) {
                    errno = ENOMEM;
                    return locale_t{};
                }
            }
            return libc.uselocale(locale);
        },
        [&] { return libc.uselocale(locale); });
}

} // namespace tendril::detail::shim::ops

void tendril::detail::shim::keep_locale_if_set(hub_core& hub) {
    if (libc.uselocale(nullptr) != LC_GLOBAL_LOCALE) {
        ops::keep(hub);
    }
}
