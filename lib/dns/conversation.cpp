// SPDX-License-Identifier: BSL-1.0
#include "dns/conversation.hpp"

#include <arpa/nameser.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <random>

namespace tendril::detail::dns {

namespace {

constexpr std::size_t plain_size = 512; // NS_PACKETSZ
constexpr std::size_t edns_size = 1200;

/// What one answer of a UDP server is worth.
enum class verdict {
    good,
    bad, ///< SERVFAIL, NOTIMP, REFUSED, or a server that knows nothing of the name
    truncated,
    silent,
    unreachable, ///< or no socket
    no_question  ///< the name cannot be put into a question
};

verdict judge(const exchange::answer& a, bool edns) {
    switch (a.status) {
    case ARES_SUCCESS:
        break;
    case ARES_ETIMEOUT:
        return verdict::silent;
    case ARES_EBADNAME:
    case ARES_ENOTFOUND:
        return verdict::no_question;
    default:
        return verdict::unreachable;
    }
    const reply_header h = reply_header::of(a.message);
    if (h.rcode == ns_r_servfail || h.rcode == ns_r_notimpl || h.rcode == ns_r_refused) {
        return verdict::bad;
    }
    if (h.rcode == ns_r_noerror && h.answers == 0 && !h.authoritative && !h.recursion_available &&
        h.additional == 0) {
        return verdict::bad; // a lame delegation
    }
    // c-ares cuts what is longer than announced, without a word.
    const bool cut = a.message.size() >= (edns ? edns_size : plain_size);
    return h.truncated || cut ? verdict::truncated : verdict::good;
}

/// The first server of a lookup with `options rotate`: the next one each time, from a random start.
std::size_t rotated(std::size_t servers) {
    static std::atomic<unsigned> turn{std::random_device{}()};
    return turn.fetch_add(1, std::memory_order_relaxed) % servers;
}

} // namespace

/// The state of one name's way through the servers.
struct conversation::round {
    const std::string& name;
    std::span<const int> types;
    query_result result;
    bool tcp = false;
    bool reached_somebody = false;
    bool stopped = false; ///< result says why

    void stop(int h_error, int error) {
        result.h_error = h_error;
        result.error = error;
        stopped = true;
    }
};

conversation::conversation(resolver& r, std::shared_ptr<const resolv_conf> conf,
                           time_point deadline, const char* what)
    : resolver_(r)
    , conf_(std::move(conf))
    , deadline_(deadline)
    , why_{wait_kind::dns, what} {}

channel_settings conversation::settings_for(std::size_t server, bool tcp) const {
    // The patience with a server grows with its place in the list, as in glibc's send_dg.
    int seconds = conf_->timeout << server;
    if (server > 0) {
        seconds /= static_cast<int>(conf_->servers.size());
    }
    return {conf_->servers[server], std::max(seconds, 1) * 1000, tcp, conf_->edns0};
}

// -------------------------------------------------------------------------------------- one server

bool conversation::wait(round& r, channel& c, exchange& e) {
    const wake end = c.wait(e, why_, deadline_);
    if (end != wake::ready) {
        r.result.interrupted = end;
        r.stop(NETDB_INTERNAL, end == wake::timeout ? ETIMEDOUT : ECANCELED);
        return false;
    }
    const auto gone = [](const exchange::answer& a) {
        return a.done && (a.status == ARES_ECANCELLED || a.status == ARES_EDESTRUCTION);
    };
    const auto starved = [](const exchange::answer& a) {
        return a.done && a.status == ARES_ENOMEM;
    };
    if (e.error == EMFILE || e.error == ENFILE || e.error == ENOMEM || e.error == ENOBUFS) {
        r.stop(NETDB_INTERNAL, e.error);
    } else if (std::any_of(e.answers.begin(), e.answers.end(), gone)) {
        r.result.interrupted = wake::cancelled;
        r.stop(NETDB_INTERNAL, ECANCELED);
    } else if (std::any_of(e.answers.begin(), e.answers.end(), starved)) {
        r.stop(NETDB_INTERNAL, ENOMEM);
    }
    return !r.stopped;
}

bool conversation::ask_together(round& r, exchange& e, const channel_settings& settings) {
    const std::shared_ptr<channel> c = resolver_.find_channel(settings, r.types.size());
    for (std::size_t i = 0; i < r.types.size(); ++i) {
        c->ask(e, i, r.name, r.types[i]);
    }
    return wait(r, *c, e);
}

bool conversation::ask_one_by_one(round& r, exchange& e, const channel_settings& settings,
                                  bool new_port) {
    std::shared_ptr<channel> c;
    for (std::size_t i = 0; i < r.types.size(); ++i) {
        c = resolver_.find_channel(settings, 1, new_port ? c.get() : nullptr);
        c->ask(e, i, r.name, r.types[i]);
        if (!wait(r, *c, e)) {
            return false;
        }
        if (judge(e.answers[i], settings.edns) != verdict::good) {
            break;
        }
    }
    return true;
}

/// Sets `again` when the same server is to be asked again in another mode.
conversation::step conversation::judge_udp(round& r, exchange& e, pair_mode& mode, bool& again) {
    std::vector<verdict> v;
    for (std::size_t i = 0; i < r.types.size() && e.answers[i].done; ++i) {
        v.push_back(judge(e.answers[i], conf_->edns0));
        const bool came = e.answers[i].status == ARES_SUCCESS;
        if (came) {
            r.result.server_failure = reply_header::of(e.answers[i].message).rcode == ns_r_servfail;
        }
    }
    const auto has = [&v](verdict x) { return std::find(v.begin(), v.end(), x) != v.end(); };
    if (has(verdict::no_question)) {
        const bool hidden = e.answers[0].status == ARES_ENOTFOUND; // .onion, RFC 7686
        r.stop(hidden ? HOST_NOT_FOUND : NO_RECOVERY, 0);
        return step::stop;
    }
    if (has(verdict::unreachable)) {
        r.reached_somebody |= has(verdict::good) || has(verdict::bad) || has(verdict::truncated);
        return step::next_server;
    }
    if (has(verdict::truncated)) {
        r.reached_somebody = true;
        return step::use_tcp;
    }
    if (has(verdict::good) && has(verdict::silent) &&
        mode != pair_mode::one_by_one_from_new_ports) {
        mode = mode == pair_mode::together ? pair_mode::one_by_one
                                           : pair_mode::one_by_one_from_new_ports;
        again = true;
        return step::next_server;
    }
    r.reached_somebody = true;
    if (!has(verdict::good)) {
        return step::next_server;
    }
    for (std::size_t i = 0; i < v.size(); ++i) {
        if (v[i] == verdict::good) {
            r.result.replies.push_back(std::move(e.answers[i].message));
        }
    }
    return step::answered;
}

conversation::step conversation::ask_udp(round& r, std::size_t server) {
    const channel_settings settings = settings_for(server, false);
    pair_mode& learned = resolver_.learned(conf_);
    for (;;) {
        pair_mode mode = learned;
        if (conf_->single_request_reopen) {
            mode = pair_mode::one_by_one_from_new_ports;
        } else if (conf_->single_request) {
            mode = std::max(mode, pair_mode::one_by_one);
        }
        exchange e;
        const bool waited =
            r.types.size() == 1 || mode == pair_mode::together
                ? ask_together(r, e, settings)
                : ask_one_by_one(r, e, settings, mode == pair_mode::one_by_one_from_new_ports);
        if (!waited) {
            return step::stop;
        }
        bool again = false;
        const step s = judge_udp(r, e, mode, again);
        if (!again) {
            return s;
        }
        learned = mode;
    }
}

conversation::step conversation::ask_tcp(round& r, std::size_t server) {
    exchange e;
    if (!ask_together(r, e, settings_for(server, true))) {
        return step::stop;
    }
    std::vector<message_bytes> replies;
    for (std::size_t i = 0; i < r.types.size(); ++i) {
        exchange::answer& a = e.answers[i];
        if (a.status == ARES_EBADNAME || a.status == ARES_ENOTFOUND) {
            r.stop(a.status == ARES_ENOTFOUND ? HOST_NOT_FOUND : NO_RECOVERY, 0);
            return step::stop;
        }
        if (a.status != ARES_SUCCESS) {
            r.result.error = a.status == ARES_ETIMEOUT ? ETIMEDOUT : ECONNREFUSED;
            return step::next_server;
        }
        replies.push_back(std::move(a.message));
    }
    r.result.replies = std::move(replies);
    return step::answered;
}

// ----------------------------------------------------------------------------------- all servers

void conversation::send(round& r) {
    const std::size_t count = conf_->servers.size();
    const std::size_t first = conf_->rotate && count > 1 ? rotated(count) : 0;
    r.tcp = conf_->use_vc;
    // Once over TCP, each server gets one chance and there is no further round.
    for (int attempt = 0; attempt < conf_->attempts && (attempt == 0 || !r.tcp); ++attempt) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t server = (first + i) % count;
            step s = step::use_tcp;
            if (!r.tcp) {
                s = ask_udp(r, server);
                r.tcp = s == step::use_tcp;
            }
            if (s == step::use_tcp) {
                s = ask_tcp(r, server);
            }
            if (s != step::next_server) {
                return;
            }
        }
    }
    const int error = r.reached_somebody ? ETIMEDOUT : ECONNREFUSED;
    r.stop(TRY_AGAIN, r.tcp && r.result.error != 0 ? r.result.error : error);
}

query_result conversation::query(const std::string& name, std::span<const int> types) {
    round r{name, types, {}};
    send(r);
    query_result& out = r.result;
    if (r.stopped) {
        return std::move(out);
    }
    out.error = 0;
    const reply_header one = reply_header::of(out.replies.front());
    const reply_header two = reply_header::of(out.replies.back());
    const auto empty = [](const reply_header& h) {
        return h.rcode != ns_r_noerror || h.answers == 0;
    };
    if (empty(one) && empty(two)) {
        out.replies.clear();
        switch (one.rcode == ns_r_noerror ? two.rcode : one.rcode) {
        case ns_r_noerror:
            out.h_error = NO_DATA;
            break;
        case ns_r_nxdomain:
            out.h_error = HOST_NOT_FOUND;
            break;
        case ns_r_servfail:
            out.h_error = TRY_AGAIN;
            out.server_failure = true;
            break;
        default:
            out.h_error = NO_RECOVERY;
        }
    }
    return std::move(out);
}

// ----------------------------------------------------------------------------------- search list

query_result conversation::search(const std::string& name, std::span<const int> types) {
    const auto dots = static_cast<unsigned>(std::count(name.begin(), name.end(), '.'));
    const bool complete = !name.empty() && name.back() == '.';
    const auto over = [](const query_result& r) { return r.h_error == 0 || r.interrupted; };
    constexpr std::size_t longest = NS_MAXDNAME - 2;

    query_result last;
    last.h_error = HOST_NOT_FOUND; // if no question is put at all
    std::optional<query_result> as_is;
    const auto ask_as_is = [&] {
        last = {};
        if (name.empty() || name.size() > longest + 1) {
            last.h_error = NO_RECOVERY;
        } else {
            last = query(name, types);
        }
    };
    if (dots >= conf_->ndots || complete) {
        ask_as_is();
        if (over(last) || complete) {
            return last;
        }
        as_is = last;
    }
    bool no_data = false;
    bool server_failure = false;
    bool searched = false;
    bool root_searched = false;
    if (!complete) {
        for (const std::string& domain : conf_->search) {
            searched = true;
            root_searched |= domain.empty();
            last = {};
            if (name.size() + domain.size() > longest) {
                last.h_error = NO_RECOVERY;
            } else {
                last = query(name + '.' + domain, types);
            }
            if (over(last)) {
                return last;
            }
            if (last.error == ECONNREFUSED) {
                last.h_error = TRY_AGAIN;
                return last;
            }
            no_data |= last.h_error == NO_DATA;
            if (last.h_error == TRY_AGAIN && last.server_failure) {
                server_failure = true;
            } else if (last.h_error != NO_DATA && last.h_error != HOST_NOT_FOUND) {
                break;
            }
        }
    }
    if ((dots != 0 || !searched || !conf_->no_tld_query) && !as_is && !root_searched) {
        ask_as_is();
        if (over(last)) {
            return last;
        }
    }
    if (as_is) {
        last.h_error = as_is->h_error;
    } else if (no_data) {
        last.h_error = NO_DATA;
    } else if (server_failure) {
        last.h_error = TRY_AGAIN;
    }
    return last;
}

} // namespace tendril::detail::dns
