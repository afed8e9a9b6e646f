// SPDX-License-Identifier: BSL-1.0
#pragma once

// All of Tendril's C++ interface.

#include <tendril/barrier.hpp>
#include <tendril/cancel.hpp>
#include <tendril/channel.hpp>
#include <tendril/condition_variable.hpp>
#include <tendril/context_value.hpp>
#include <tendril/dns.hpp>
#include <tendril/error.hpp>
#include <tendril/event.hpp>
#include <tendril/export.hpp>
#include <tendril/fiber.hpp>
#include <tendril/fiber_local.hpp>
#include <tendril/fiber_pool.hpp>
#include <tendril/future.hpp>
#include <tendril/hub.hpp>
#include <tendril/hub_group.hpp>
#include <tendril/inspect.hpp>
#include <tendril/io.hpp>
#include <tendril/latch.hpp>
#include <tendril/mutex.hpp>
#include <tendril/net.hpp>
#include <tendril/once.hpp>
#include <tendril/portal.hpp>
#include <tendril/queue.hpp>
#include <tendril/select.hpp>
#include <tendril/semaphore.hpp>
#include <tendril/shared_mutex.hpp>
#include <tendril/task_group.hpp>
#include <tendril/thread_pool.hpp>
#include <tendril/thread_state.hpp>
#include <tendril/timeout.hpp>
#include <tendril/version.hpp>
#include <tendril/wait.hpp>

/// Fibers: each runs until it has to wait, and then another one of its thread goes on. What waits
/// says so; nothing else switches.
namespace tendril {}
