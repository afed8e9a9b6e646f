// SPDX-License-Identifier: BSL-1.0
// The sanitizers' settings, compiled into each program so that a test run by hand behaves as in
// ctest.

extern "C" {

// A fiber's frames must lie on its own stack, not on ASan's fake one. The shim is preloaded ahead
// of the ASan runtime, which is harmless: the program itself initialises that first.
__attribute__((visibility("default"))) const char* __asan_default_options() {
    return "detect_leaks=1:detect_stack_use_after_return=0:verify_asan_link_order=0";
}

__attribute__((visibility("default"))) const char* __ubsan_default_options() {
    return "print_stacktrace=1:halt_on_error=1";
}

__attribute__((visibility("default"))) const char* __tsan_default_options() {
    return "halt_on_error=1:second_deadlock_stack=1";
}

// libstdc++ counts the owners of an exception in code that is not instrumented, so the last owner's
// delete seems to race with what the others read before.
__attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
    return "race:std::logic_error::~logic_error\n"
           "race:std::runtime_error::~runtime_error\n"
           "race:std::__exception_ptr::exception_ptr::_M_release\n"
           "race:__cxa_free_exception\n";
}
}
