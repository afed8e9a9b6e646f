// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "base/timer_queue.hpp"
#include "fiber/record.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace tendril::detail {

/// A part of a fiber's work, on its stack; they nest, the innermost first. Its timer fires when its
/// time is over: a limit's waits then end, and a shield protects no more.
struct cancel_scope : timer {
    cancel_scope* outer = nullptr;
    fiber_record* owner = nullptr;
    const void* handle = nullptr;      ///< the public object
    struct scope_link* link = nullptr; ///< of one that others may end
    bool shields = false;              ///< what lies further out does not reach in
    bool over = false;                 ///< a limit's
    bool noticed = false;              ///< a wait ended because of it
    unsigned uncaught = 0;             ///< exceptions on their way when it was entered
};

/// The way to a scope that others may end, for the body of a task group. Looked into only on the
/// thread of the scope's fiber, so that it needs no lock.
struct scope_link {
    cancel_scope* scope = nullptr; ///< null when it has been left
    std::uint64_t generation = 0;  ///< of the hub; another one has nothing to do with it
    std::string reason;
};

/// That a fiber is cancelled, or a scope ended. On its way there it is in the inbox of the fiber's
/// hub.
struct cancel_request {
    task* job = nullptr; ///< one reference; null: a scope
    std::string reason;
    cancel_request* next = nullptr;
    std::shared_ptr<scope_link> scope{};
};

/// Ends the waits in a scope. Any thread. Nothing happens if it has been left. May throw
/// std::bad_alloc.
void end_scope(const std::shared_ptr<scope_link>& link, hub_core& home, std::string reason);

/// Throws `cancelled` or `timed_out`, if the running fiber must give up its waits.
void throw_if_given_up();

/// For the result of a wait that a layer below could not finish: throws what the fiber was ended
/// by, otherwise ECANCELED, for its thread ends.
[[noreturn]] void throw_given_up(const std::string& doing);

} // namespace tendril::detail
