// SPDX-License-Identifier: BSL-1.0
#pragma once

#ifdef TENDRIL_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace tendril::detail {

inline bool leaks_unchecked = false;

/// From now on this process may end with what looks like leaks: LeakSanitizer does not look at the
/// stacks of fibers, nor at the main one when a fiber calls exit().
inline void leave_leaks_unchecked() {
    leaks_unchecked = true;
}

/// What is allocated meanwhile is lost on purpose: abandoned fibers keep what they own.
class lost_on_purpose {
public:
#ifdef TENDRIL_ASAN
    lost_on_purpose() {
        __lsan_disable();
    }
    ~lost_on_purpose() {
        __lsan_enable();
    }
#else
    lost_on_purpose() {}
    ~lost_on_purpose() {}
#endif
    lost_on_purpose(const lost_on_purpose&) = delete;
    lost_on_purpose& operator=(const lost_on_purpose&) = delete;
};

} // namespace tendril::detail

#ifdef TENDRIL_ASAN
/// Asked by LeakSanitizer when the process ends.
extern "C" [[gnu::used, gnu::visibility("default")]] inline int __lsan_is_turned_off() {
    return tendril::detail::leaks_unchecked ? 1 : 0;
}
#endif
