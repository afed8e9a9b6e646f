// SPDX-License-Identifier: BSL-1.0
#pragma once

// What is thrown to end waits; see <tendril/cancel.hpp> and <tendril/timeout.hpp>.

#include <tendril/export.hpp>

#include <string>
#include <utility>

namespace tendril {
inline namespace v1 {

class timeout;

/// What the waits of a cancelled fiber throw. No std::exception, so that code which handles those
/// lets it pass. Do not keep it from leaving the fiber's function: each later wait throws again.
class TENDRIL_EXPORT cancelled {
public:
    explicit cancelled(std::string reason)
        : reason_(std::move(reason)) {}
    cancelled(const cancelled&) = default;
    cancelled& operator=(const cancelled&) = default;
    virtual ~cancelled();

    const std::string& reason() const noexcept { return reason_; } ///< as given to fiber::cancel

private:
    std::string reason_;
};

/// What waits throw within a timeout whose time is over. No std::exception either.
class TENDRIL_EXPORT timed_out {
public:
    explicit timed_out(const timeout* of) noexcept
        : of_(of) {}
    timed_out(const timed_out&) = default;
    timed_out& operator=(const timed_out&) = default;
    virtual ~timed_out();

    /// Whether it was this timeout, and not one around it.
    bool is(const timeout& which) const noexcept { return of_ == &which; }

private:
    const timeout* of_;
};

} // namespace v1

namespace detail {

/// What ends the body of a task group.
class TENDRIL_EXPORT interrupted : public cancelled {
public:
    interrupted(const void* of, const std::string& reason)
        : cancelled(reason)
        , of_(of) {}
    interrupted(const interrupted&) = default;
    interrupted& operator=(const interrupted&) = default;
    ~interrupted() override;

    const void* of() const noexcept { return of_; }

private:
    const void* of_;
};

} // namespace detail
} // namespace tendril
