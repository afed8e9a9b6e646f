// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/export.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tendril {
inline namespace v1 {
namespace net {

/// A transfer that failed. What was transferred before is not undone.
///
/// One that ended because the fiber is cancelled, or a `timeout` around it is over, throws
/// `cancelled` or `timed_out` instead, which do not tell how much was transferred: such a stream is
/// to be closed. Who wants to go on after a time limit gives it as the call's deadline, whose
/// transfer_error (ETIMEDOUT) tells.
class TENDRIL_EXPORT transfer_error : public std::system_error {
public:
    transfer_error(int error, const std::string& doing, std::size_t transferred)
        : std::system_error(error, std::system_category(), doing)
        , transferred_(transferred) {}
    ~transfer_error() override;
    std::size_t transferred() const noexcept { return transferred_; } ///< bytes

private:
    std::size_t transferred_;
};

/// The peer ended the stream before all that was asked for had come.
class TENDRIL_EXPORT end_of_stream : public std::runtime_error {
public:
    end_of_stream(const std::string& what, std::size_t transferred)
        : std::runtime_error(what)
        , transferred_(transferred) {}
    ~end_of_stream() override;
    std::size_t transferred() const noexcept { return transferred_; } ///< bytes

private:
    std::size_t transferred_;
};

} // namespace net
} // namespace v1
} // namespace tendril
