// SPDX-License-Identifier: BSL-1.0
#pragma once

// All of Tendril's C++ interface.

#include <tendril/dns.hpp>
#include <tendril/export.hpp>
#include <tendril/fiber.hpp>
#include <tendril/hub.hpp>
#include <tendril/io.hpp>
#include <tendril/net.hpp>
#include <tendril/version.hpp>
