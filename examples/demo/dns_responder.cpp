// SPDX-License-Identifier: BSL-1.0
#include "dns_responder.hpp"

#include <strings.h>

namespace demo {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::uint8_t record[] = {
    0xc0, header_size,        // the name of the question
    0,    1,                  // A
    0,    1,                  // IN
    0,    0,           0, 60, // for a minute
    0,    4,                  // bytes
    127,  0,           0, 1,
};

/// The name at `at`, which is moved behind it; "" if the message ends before.
std::string read_name(const std::vector<std::uint8_t>& message, std::size_t& at) {
    std::string name;
    while (at < message.size()) {
        const std::size_t length = message[at++];
        if (length == 0) {
            return name;
        }
        if (length > 63 || at + length > message.size()) {
            break;
        }
        name += name.empty() ? "" : ".";
        name.append(reinterpret_cast<const char*>(&message[at]), length);
        at += length;
    }
    return {};
}

} // namespace

bool answer_query(std::vector<std::uint8_t>& message, const std::string& name) {
    const bool one_question = message.size() > header_size && (message[2] & 0xf8) == 0 &&
                              message[4] == 0 && message[5] == 1;
    if (!one_question) {
        return false;
    }
    std::size_t at = header_size;
    const std::string asked = read_name(message, at);
    if (asked.empty() || at + 4 > message.size()) {
        return false;
    }
    const bool known = strcasecmp(asked.c_str(), name.c_str()) == 0;
    const bool address = known && message[at] == 0 && message[at + 1] == 1; // type A
    message.resize(at + 4); // without what EDNS adds, as a server that does not know it
    message[2] |= 0x84;     // an answer, authoritative
    message[3] = static_cast<std::uint8_t>(0x80 | (known ? 0 : 3)); // NXDOMAIN
    message[7] = address ? 1 : 0;
    message[6] = message[8] = message[9] = message[10] = message[11] = 0;
    if (address) {
        message.insert(message.end(), std::begin(record), std::end(record));
    }
    return true;
}

} // namespace demo
