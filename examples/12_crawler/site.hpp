// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/net.hpp>

#include <string>
#include <vector>

/// A web site of pages /1 to /pages, of which /N leads to /2N, /2N+1 and back to /1. It takes 20 ms
/// for each, and serves each client in a fiber.
void serve_site(tendril::net::tcp_listener& listener, int pages);

/// Fetches one page, and returns the links on it.
std::vector<std::string> fetch_links(const tendril::net::endpoint& site, const std::string& path);
