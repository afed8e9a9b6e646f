// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace demo {

/// Turns a DNS query into its answer in place (RFC 1035): `name` is 127.0.0.1 and has no other
/// address, every other name does not exist. False: it is no query that deserves an answer.
bool answer_query(std::vector<std::uint8_t>& message, const std::string& name);

} // namespace demo
