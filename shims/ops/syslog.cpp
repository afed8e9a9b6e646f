// SPDX-License-Identifier: BSL-1.0
//
// The text is made here, because of %m; libc sends it to the daemon, which may let it wait.
#include "shims/ops/by_libc.hpp"
#include "shims/ops/operations.hpp"

#include <cstdarg>
#include <cstdio>
#include <memory>
#include <new>

extern "C" int __vsnprintf_chk(char* buffer, std::size_t room, int flag, std::size_t space,
                               const char* format, va_list arguments);

namespace tendril::detail::shim::ops {

namespace {

[[gnu::format(printf, 2, 3)]] void say(int priority, const char* format, ...) noexcept {
    va_list list;
    va_start(list, format);
    libc.vsyslog(priority, format, list);
    va_end(list);
}

/// Null: no memory, or the format makes no sense.
template <typename Print>
std::unique_ptr<char[]> printed(va_list arguments, Print print) noexcept {
    va_list again;
    va_copy(again, arguments);
    const int size = print(nullptr, 0, again);
    va_end(again);
    if (size < 0) {
        return nullptr;
    }
    const std::size_t room = static_cast<std::size_t>(size) + 1;
    std::unique_ptr<char[]> text(new (std::nothrow) char[room]);
    if (text != nullptr) {
        va_copy(again, arguments);
        print(text.get(), room, again);
        va_end(again);
    }
    return text;
}

template <typename Print, typename Original>
void log(tendril_shim_index index, int priority, va_list arguments, Print print,
         Original original) noexcept {
    // va_list is an array, which a lambda captures by the address of its first element.
    serve(
        index,
        [&](hub_core& hub, io::options& o) {
            const std::unique_ptr<char[]> text =
                hub.has_nothing_else() ? nullptr : printed(arguments, print);
            if (text == nullptr) {
                return original();
            }
            return by_libc(hub, "syslog", o, [&] {
                say(priority, "%s", text.get());
                return 0;
            });
        },
        original);
}

} // namespace

void vsyslog(int priority, const char* format, va_list arguments) noexcept {
    log(
        tendril_shim_index_vsyslog, priority, arguments,
        [&](char* buffer, std::size_t room, va_list list) {
            return std::vsnprintf(buffer, room, format, list);
        },
        [&] {
            libc.vsyslog(priority, format, arguments);
            return 0;
        });
}

void __vsyslog_chk(int priority, int flag, const char* format, va_list arguments) noexcept {
    log(
        tendril_shim_index___vsyslog_chk, priority, arguments,
        [&](char* buffer, std::size_t room, va_list list) {
            return __vsnprintf_chk(buffer, room, flag, room, format, list);
        },
        [&] {
            libc.__vsyslog_chk(priority, flag, format, arguments);
            return 0;
        });
}

} // namespace tendril::detail::shim::ops
