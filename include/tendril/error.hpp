// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace tendril {
inline namespace v1 {

/// What a fiber does, see fiber_info.
enum class fiber_state : unsigned char {
    running,   ///< it is the one that asked
    ready,     ///< it goes on when its turn comes
    not_begun, ///< likewise, and it has not run yet
    waiting    ///< for what, says fiber_info::waits_for
};

/// One fiber at one moment, as <tendril/inspect.hpp> and deadlock_error describe it.
struct fiber_info {
    std::uint64_t id = 0;     ///< as fiber::id()
    std::uint64_t parent = 0; ///< the id of the fiber that spawned it; 0: a thread without fibers
    std::string name{};       ///< as spawned; "main" of a main fiber
    fiber_state state = fiber_state::ready;
    bool cancelled = false; ///< its waits throw

    /// "recv fd 7", "sleep", "join fiber #12", "mutex 0x7f00c0de, held by #3 \"writer\"". Empty
    /// unless it waits.
    std::string waits_for{};

    /// When the present wait ends by itself; time_point::max() if it does not. The end of a
    /// `timeout` around it does not count.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();

    /// The code that spawned it, an address just behind the call. Null of a main fiber.
    const void* spawn_address = nullptr;

    /// That address in words: "serve(int) (server+0x1a2b)", function, file and the offset in it,
    /// from which `addr2line -e server 0x1a2b` makes the line.
    std::string spawned_in{};
};

/// Each fiber on a line of its own: id and name, what it does, who spawned it and where.
TENDRIL_EXPORT std::string to_string(const std::vector<fiber_info>& fibers);

/// What the main fiber's wait throws when it can never end: every fiber of the process waits for
/// another one, none for time to pass nor for anything outside of the program, and there is no
/// other thread that could wake one. what() lists all fibers with what they wait for and where they
/// were spawned.
///
/// Thrown by waits for fibers, and for what only fibers do: join, drain, mutexes, channels, events
/// and the like; also by those that cannot be cancelled, as mutex::lock. Never by a wait for I/O,
/// for names or for time, nor while a fiber waits for such. Threads of Tendril's own that are idle
/// do not count. A signal handler cannot end a wait for fibers, so none is reckoned with.
///
/// The other fibers wait on. Whoever catches it may wake them, or cancel them, and wait again; else
/// it ends the program, as any exception that leaves main. On its way through a destructor or
/// a function that is noexcept it calls std::terminate, which prints it. While the main fiber
/// unwinds because of another exception nothing can be thrown: the list is printed to stderr then,
/// and it waits on.
///
/// The process notices at once, as long as it never had a second thread and few fibers; else a few
/// hundredths of a second after the last fiber came to rest, or after another thread has ended.
class TENDRIL_EXPORT deadlock_error : public std::system_error {
public:
    /// Its code is EDEADLK, std::errc::resource_deadlock_would_occur.
    explicit deadlock_error(std::vector<fiber_info> fibers);
    deadlock_error(const deadlock_error&) noexcept = default;
    deadlock_error& operator=(const deadlock_error&) noexcept = default;
    ~deadlock_error() override;

    const char* what() const noexcept override;
    const std::vector<fiber_info>& fibers() const noexcept; ///< the main fiber first, then by id

private:
    struct report;
    std::shared_ptr<const report> report_;
};

} // namespace v1
} // namespace tendril
