// SPDX-License-Identifier: BSL-1.0
//
// resolver(3): questions of a program's own, for records that <netdb.h> knows nothing of. libc asks
// them, on a worker thread, with a copy of all that they need, so a wait can be given up.
#include "dns/h_error.hpp"
#include "hub/foreign_call.hpp"
#include "offload/offload.hpp"
#include "shims/ops/call.hpp"
#include "shims/ops/operations.hpp"
#include "shims/ops/resolver_state.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace tendril::detail::shim::ops {

namespace {

/// Owned by whoever still wants it.
template <typename Ask>
struct question {
    resolver_state how;
    Ask ask; ///< int(res_state, u_char* answer, int room)
    std::vector<u_char> answer;
    int result = -1;
    int error = errno;
    int h_error = h_errno;
    int state_error = 0;

    void run() noexcept {
        const foreign_call_guard guard;
        struct __res_state state {};
        if (::res_ninit(&state) != 0) {
            error = errno;
            h_error = state_error = NETDB_INTERNAL;
            return;
        }
        if (how.give_to(state)) {
            h_errno = h_error;
            errno = error;
            result = ask(&state, answer.data(), static_cast<int>(answer.size()));
            error = errno;
            h_error = h_errno;
            state_error = state.res_h_errno;
        } else {
            error = ENOMEM;
            h_error = state_error = NETDB_INTERNAL;
        }
        ::res_nclose(&state);
    }
};

/// On this thread, which nobody else needs.
template <typename Original>
int blocking(Original original) noexcept {
    const foreign_call_guard guard;
    return original();
}

template <typename MakeAsk>
int in_hub(hub_core& hub, res_state state, u_char* answer, int room, MakeAsk make_ask,
           io::options& o) noexcept {
    using Ask = decltype(make_ask());
    try {
        const auto size = static_cast<std::size_t>(std::max(room, 0));
        auto made = std::make_shared<question<Ask>>(
            question<Ask>{resolver_state(state), make_ask(), {answer, answer + size}});
        o.waited = true;
        const auto [end, q] = offload_with(std::move(made), [](question<Ask>& work) { work.run(); },
                                           {wait_kind::dns, "resolver(3)"});
        if (end != wake::ready) { // it may still be under way: nothing in it is ours
            errno = ECANCELED;
            dns::set_h_errno(hub, state->res_h_errno = TRY_AGAIN);
            return -1;
        }
        // Programs look at the answer also when the question failed.
        std::copy(q->answer.begin(), q->answer.end(), answer);
        errno = q->error;
        dns::set_h_errno(hub, q->h_error);
        state->res_h_errno = q->state_error;
        return q->result;
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
        dns::set_h_errno(hub, state->res_h_errno = NETDB_INTERNAL);
        return -1;
    }
}

/// The thread's, which libc makes anew when resolv.conf has changed, unless the program changed it:
/// at the beginning of any call, as of this one, which asks nobody.
res_state present_state() noexcept {
    const errno_kept kept;
    const foreign_call_guard guard;
    u_char question[NS_PACKETSZ];
    ::res_mkquery(ns_o_query, "", ns_c_in, ns_t_a, nullptr, 0, nullptr, question, sizeof question);
    return &_res;
}

/// `make_ask()` gives an `ask(res_state, answer, room)` that owns what it asks for. It may throw
/// std::bad_alloc.
template <typename MakeAsk, typename Original>
int serve_question(tendril_shim_index index, res_state state, u_char* answer, int room,
                   MakeAsk make_ask, Original original) noexcept {
    return serve(
        index,
        [&](hub_core& hub, io::options& o) {
            return hub.has_nothing_else() || answer == nullptr
                       ? blocking(original)
                       : in_hub(hub, state != nullptr ? state : present_state(), answer, room,
                                make_ask, o);
        },
        original);
}

std::string text(const char* name) {
    return name != nullptr ? name : "";
}

// What each kind of question asks; these own it.

auto about(const char* name, int kind, int type) {
    return [name = text(name), kind, type](res_state s, u_char* a, int n) {
        return libc.res_nquery(s, name.c_str(), kind, type, a, n);
    };
}

auto search_for(const char* name, int kind, int type) {
    return [name = text(name), kind, type](res_state s, u_char* a, int n) {
        return libc.res_nsearch(s, name.c_str(), kind, type, a, n);
    };
}

auto about_both(const char* name, const char* domain, int kind, int type) {
    const bool both = domain != nullptr;
    return [name = text(name), domain = text(domain), both, kind, type](res_state s, u_char* a,
                                                                        int n) {
        return libc.res_nquerydomain(s, name.c_str(), both ? domain.c_str() : nullptr, kind, type,
                                     a, n);
    };
}

auto this_message(const unsigned char* message, int size) {
    return [message = std::vector<u_char>(message, message + std::max(size, 0)),
            size](res_state s, u_char* a, int n) {
        return libc.res_nsend(s, message.data(), size, a, n);
    };
}

} // namespace

int res_nquery(res_state state, const char* name, int kind, int type, unsigned char* answer,
               int room) noexcept {
    return serve_question(
        tendril_shim_index_res_nquery, state, answer, room, [&] { return about(name, kind, type); },
        [&] { return libc.res_nquery(state, name, kind, type, answer, room); });
}

int res_query(const char* name, int kind, int type, unsigned char* answer, int room) noexcept {
    return serve_question(
        tendril_shim_index_res_query, nullptr, answer, room,
        [&] { return about(name, kind, type); },
        [&] { return libc.res_query(name, kind, type, answer, room); });
}

int res_nsearch(res_state state, const char* name, int kind, int type, unsigned char* answer,
                int room) noexcept {
    return serve_question(
        tendril_shim_index_res_nsearch, state, answer, room,
        [&] { return search_for(name, kind, type); },
        [&] { return libc.res_nsearch(state, name, kind, type, answer, room); });
}

int res_search(const char* name, int kind, int type, unsigned char* answer, int room) noexcept {
    return serve_question(
        tendril_shim_index_res_search, nullptr, answer, room,
        [&] { return search_for(name, kind, type); },
        [&] { return libc.res_search(name, kind, type, answer, room); });
}

int res_nquerydomain(res_state state, const char* name, const char* domain, int kind, int type,
                     unsigned char* answer, int room) noexcept {
    return serve_question(
        tendril_shim_index_res_nquerydomain, state, answer, room,
        [&] { return about_both(name, domain, kind, type); },
        [&] { return libc.res_nquerydomain(state, name, domain, kind, type, answer, room); });
}

int res_querydomain(const char* name, const char* domain, int kind, int type, unsigned char* answer,
                    int room) noexcept {
    return serve_question(
        tendril_shim_index_res_querydomain, nullptr, answer, room,
        [&] { return about_both(name, domain, kind, type); },
        [&] { return libc.res_querydomain(name, domain, kind, type, answer, room); });
}

int res_nsend(res_state state, const unsigned char* message, int size, unsigned char* answer,
              int room) noexcept {
    return serve_question(
        tendril_shim_index_res_nsend, state, answer, room,
        [&] { return this_message(message, size); },
        [&] { return libc.res_nsend(state, message, size, answer, room); });
}

int res_send(const unsigned char* message, int size, unsigned char* answer, int room) noexcept {
    return serve_question(
        tendril_shim_index_res_send, nullptr, answer, room,
        [&] { return this_message(message, size); },
        [&] { return libc.res_send(message, size, answer, room); });
}

} // namespace tendril::detail::shim::ops
