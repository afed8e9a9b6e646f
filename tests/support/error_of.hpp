// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <system_error>

namespace tendril_test {

/// The errno value of the std::system_error that the call throws, 0 if it throws none.
template <typename Call>
int error_of(Call call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e.code().value();
    }
    return 0;
}

} // namespace tendril_test
