// SPDX-License-Identifier: BSL-1.0
// Every allocation and every fallible system call fails in turn: each scenario then succeeds or
// ends with an error that is documented, loses nothing, and passes afterwards.
#include "exhaustion/shim_scenarios.hpp"
#include "support/fault_allocations.hpp"
#include "support/fault_system_calls.hpp"

namespace {

using namespace tendril::test;
namespace s = tendril::test::scenarios;

class every_failure : public testing::TestWithParam<scenario> {};

TEST_P(every_failure, of_an_allocation_cold) {
    fail_in_turn(GetParam(), faults::kind::allocation, false);
}

#ifndef TENDRIL_ASAN // where looking for leaks each time takes minutes
TEST_P(every_failure, of_an_allocation_warm) {
    fail_in_turn(GetParam(), faults::kind::allocation, true);
}

TEST_P(every_failure, of_all_allocations_from_one_on) {
    fail_in_turn(GetParam(), faults::kind::allocation, false, true);
}

#endif

TEST_P(every_failure, of_a_system_call_cold) {
    fail_in_turn(GetParam(), faults::kind::system_call, false);
}

#ifndef TENDRIL_ASAN
TEST_P(every_failure, of_a_system_call_warm) {
    fail_in_turn(GetParam(), faults::kind::system_call, true);
}
#endif

/// The scenario, and that after it, may find a worker busy and start other threads, which stay for
/// some seconds.
constexpr long workers = 12;

constexpr scenario all[] = {
    {"spawn_and_join", s::spawn_and_join},
    {"stacks_of_all_sizes", s::stacks_of_all_sizes},
    {"results", s::results},
    {"hub_of_a_thread", s::hub_of_a_thread, nullptr, 4},
    {"sleeps", s::sleeps, nullptr, 1},
    {"join_with_deadlines", s::join_with_deadlines},
    {"across_threads", s::across_threads, nullptr, 8},
    {"offloaded", s::offloaded, nullptr, workers},
    {"thread_ends_with_parked_fibers", s::thread_ends_with_parked_fibers, s::no_grace},
    {"forks", s::forks},
    {"by_the_c_interface", s::by_the_c_interface},
    {"socket_pair", s::socket_pair},
    {"tcp", s::tcp},
    {"plain_sockets", s::plain_sockets, nullptr, workers},
    {"waits_for_many", s::waits_for_many},
    {"close_under_waiters", s::close_under_waiters},
    {"connect_by_dns", s::connect_by_dns, s::own_names, 4},
    {"connect_by_hosts", s::connect_by_hosts, s::own_names, 4},
    {"looks_names_up", s::looks_names_up, s::own_names, 4},
    {"libc_s_resolver", s::libc_s_resolver, s::infallible_libc, 8},
    {"asks_the_resolver_by_the_shim", s::asks_the_resolver_by_the_shim, s::own_names_and_libc,
     workers},
    {"asks_netdb_by_the_shim", s::asks_netdb_by_the_shim, s::own_names_and_libc, workers},
};

INSTANTIATE_TEST_SUITE_P(exhaustion, every_failure, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

} // namespace
