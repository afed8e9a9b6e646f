// SPDX-License-Identifier: BSL-1.0
//
// Streams of wide characters.
#include "shims/ops/operations.hpp"
#include "shims/ops/stream_call.hpp"
#include "stdio/wide.hpp"

namespace tendril::detail::shim::ops {

using stdio::stream;

namespace {

template <typename Result, typename Work, typename Original>
Result on_wide(tendril_shim_index index, FILE* file, locking locks, Result failed, Work work,
               Original original) noexcept {
    return serve(
        index,
        [&](hub_core& hub, io::options& o) -> Result {
            stream s(hub, file, locks == locking::yes, o);
            if (!s.acquire()) {
                return failed;
            }
            return stdio::becomes_wide(s) ? work(s) : by_libc(s, original);
        },
        [&]() -> Result { return original(); });
}

wint_t character(tendril_shim_index index, FILE* file, locking locks,
                 wint_t (*original)(FILE*)) noexcept {
    return on_wide(index, file, locks, WEOF, stdio::get_wide, [&] { return original(file); });
}

/// `put(file)`, which is libc's.
template <typename Result, typename Put>
Result written(tendril_shim_index index, FILE* file, locking locks, Result failed,
               Put put) noexcept {
    return on_wide(
        index, file, locks, failed, [&](stream& s) { return stdio::put_wide(s, failed, put); },
        [&] { return put(file); });
}

/// Into the buffer, where there is room.
wint_t put_character(tendril_shim_index index, wchar_t c, FILE* file, locking locks,
                     wint_t (*original)(wchar_t, FILE*)) noexcept {
    return on_wide(
        index, file, locks, WEOF,
        [&](stream& s) -> wint_t {
            stdio::wide_area& area = stdio::wide_area_of(file);
            if (area.write_ptr < area.write_end) {
                return static_cast<wint_t>(*area.write_ptr++ = c);
            }
            return stdio::put_wide(s, WEOF, [&](FILE* f) { return original(c, f); });
        },
        [&] { return original(c, file); });
}

wchar_t* line(tendril_shim_index index, FILE* file, locking locks, wchar_t* to, int room,
              wchar_t* (*original)(wchar_t*, int, FILE*)) noexcept {
    return on_wide(
        index, file, locks, static_cast<wchar_t*>(nullptr),
        [&](stream& s) { return stdio::get_wide_line(s, to, room); },
        [&] { return original(to, room, file); });
}

wchar_t* checked_line(tendril_shim_index index, FILE* file, locking locks, wchar_t* to,
                      std::size_t limit, int room,
                      wchar_t* (*original)(wchar_t*, std::size_t, int, FILE*)) noexcept {
    return on_wide(
        index, file, locks, static_cast<wchar_t*>(nullptr),
        [&](stream& s) { return stdio::get_wide_line(s, to, room, limit); },
        [&] { return original(to, limit, room, file); });
}

} // namespace

wint_t getwc(FILE* file) noexcept {
    return character(tendril_shim_index_getwc, file, locking::yes, libc.getwc);
}

wint_t getwc_unlocked(FILE* file) noexcept {
    return character(tendril_shim_index_getwc_unlocked, file, locking::no, libc.getwc_unlocked);
}

wchar_t* fgetws(wchar_t* to, int room, FILE* file) noexcept {
    return line(tendril_shim_index_fgetws, file, locking::yes, to, room, libc.fgetws);
}

wchar_t* fgetws_unlocked(wchar_t* to, int room, FILE* file) noexcept {
    return line(tendril_shim_index_fgetws_unlocked, file, locking::no, to, room,
                libc.fgetws_unlocked);
}

wchar_t* __fgetws_chk(wchar_t* to, size_t limit, int room, FILE* file) noexcept {
    return checked_line(tendril_shim_index___fgetws_chk, file, locking::yes, to, limit, room,
                        libc.__fgetws_chk);
}

wchar_t* __fgetws_unlocked_chk(wchar_t* to, size_t limit, int room, FILE* file) noexcept {
    return checked_line(tendril_shim_index___fgetws_unlocked_chk, file, locking::no, to, limit,
                        room, libc.__fgetws_unlocked_chk);
}

wint_t ungetwc(wint_t c, FILE* file) noexcept {
    const auto original = [&] { return libc.ungetwc(c, file); };
    return on_wide(
        tendril_shim_index_ungetwc, file, locking::yes, WEOF, [&](stream&) { return original(); },
        original);
}

wint_t putwc(wchar_t c, FILE* file) noexcept {
    return put_character(tendril_shim_index_putwc, c, file, locking::yes, libc.putwc);
}

wint_t putwc_unlocked(wchar_t c, FILE* file) noexcept {
    return put_character(tendril_shim_index_putwc_unlocked, c, file, locking::no,
                         libc.putwc_unlocked);
}

int fputws(const wchar_t* text, FILE* file) noexcept {
    return written(tendril_shim_index_fputws, file, locking::yes, EOF,
                   [&](FILE* f) { return libc.fputws(text, f); });
}

int fputws_unlocked(const wchar_t* text, FILE* file) noexcept {
    return written(tendril_shim_index_fputws_unlocked, file, locking::no, EOF,
                   [&](FILE* f) { return libc.fputws_unlocked(text, f); });
}

int vfwprintf(FILE* file, const wchar_t* format, va_list list) noexcept {
    return written(tendril_shim_index_vfwprintf, file, locking::yes, -1,
                   [&](FILE* f) { return libc.vfwprintf(f, format, list); });
}

int __vfwprintf_chk(FILE* file, int flag, const wchar_t* format, va_list list) noexcept {
    return written(tendril_shim_index___vfwprintf_chk, file, locking::yes, -1,
                   [&](FILE* f) { return libc.__vfwprintf_chk(f, flag, format, list); });
}

} // namespace tendril::detail::shim::ops
