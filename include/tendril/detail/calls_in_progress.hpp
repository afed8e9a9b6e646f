// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tendril/condition_variable.hpp>
#include <tendril/export.hpp>
#include <tendril/mutex.hpp>

#include <cstddef>

namespace tendril {
namespace detail {

/// Counts who is inside, so that the end can wait for them.
class TENDRIL_EXPORT calls_in_progress {
public:
    class one {
    public:
        explicit one(calls_in_progress& of)
            : of_(of) {
            of_.enter();
        }
        ~one() { of_.leave(); }
        one(const one&) = delete;
        one& operator=(const one&) = delete;

    private:
        calls_in_progress& of_;
    };

    void close(); ///< nobody enters any more; waits until nobody is inside

private:
    void enter(); ///< throws std::system_error ESRCH after close()
    void leave() noexcept;

    mutex mutex_;
    condition_variable changed_;
    std::size_t inside_ = 0;
    bool closed_ = false;
};

} // namespace detail
} // namespace tendril
