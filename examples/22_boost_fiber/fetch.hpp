// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

/// What a web server answers to a request for `path`, its header included. Blocks.
/// @throws std::runtime_error, std::system_error
std::string fetch(const std::string& host, const std::string& port, const std::string& path);
