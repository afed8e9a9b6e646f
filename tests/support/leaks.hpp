// SPDX-License-Identifier: BSL-1.0
#pragma once

#ifdef TENDRIL_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace tendril::detail {

/// What is allocated meanwhile is lost on purpose: abandoned fibers keep what they own.
class lost_on_purpose {
public:
#ifdef TENDRIL_ASAN
    lost_on_purpose() { __lsan_disable(); }
    ~lost_on_purpose() { __lsan_enable(); }
#else
    lost_on_purpose() {}
    ~lost_on_purpose() {}
#endif
    lost_on_purpose(const lost_on_purpose&) = delete;
    lost_on_purpose& operator=(const lost_on_purpose&) = delete;
};

} // namespace tendril::detail
