// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "dns/reply.hpp"
#include "dns/resolver.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tendril::detail::dns {

/// What became of a name's questions.
struct query_result {
    std::vector<message_bytes>
        replies;     ///< if h_error is 0: those with an answer, in question order
    int h_error = 0; ///< as h_errno: HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, NO_DATA
    int error = 0;   ///< ECONNREFUSED, ETIMEDOUT: no server answered; others: a local failure
    bool server_failure = false;     ///< the last answer that came was SERVFAIL
    std::optional<wake> interrupted; ///< the wait ended: deadline, cancelled
};

/// Asks the name servers of a configuration for one caller, in the order and with the patience of
/// glibc's res_send and res_search. Parks the calling fiber.
class conversation {
public:
    conversation(resolver& r, std::shared_ptr<const resolv_conf> conf, time_point deadline,
                 const char* what);
    ~conversation() { resolver_.trim(); }
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;

    /// One name as it is; one or two types.
    query_result query(const std::string& name, std::span<const int> types);

    /// The name along the search list, by the rules of `ndots`.
    query_result search(const std::string& name, std::span<const int> types);

private:
    enum class step { answered, next_server, use_tcp, stop };
    struct round;

    void send(round& r);
    step ask_udp(round& r, std::size_t server);
    step ask_tcp(round& r, std::size_t server);
    bool ask_together(round& r, exchange& e, const channel_settings& settings);
    bool ask_one_by_one(round& r, exchange& e, const channel_settings& settings, bool new_port);
    bool wait(round& r, channel& c, exchange& e);
    step judge_udp(round& r, exchange& e, pair_mode& mode, bool& again);
    channel_settings settings_for(std::size_t server, bool tcp) const;

    resolver& resolver_;
    std::shared_ptr<const resolv_conf> conf_;
    time_point deadline_;
    wait_reason why_;
};

} // namespace tendril::detail::dns
