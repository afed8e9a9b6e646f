// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/net.hpp>

/// Lets everybody in who connects. Returns when the listener is closed.
void serve_chat(tendril::net::tcp_listener& listener);
