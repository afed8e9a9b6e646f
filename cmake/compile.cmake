# SPDX-License-Identifier: BSL-1.0
# How our own code is compiled: warnings, sanitizers. None of it reaches a user's target.

option(TENDRIL_WERROR "Treat warnings as errors" OFF)
set(TENDRIL_SANITIZE "" CACHE STRING "What -fsanitize= gets, as address,undefined; empty for nothing")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_UNITY_BUILD OFF) # a parent project may want it of its own sources

add_library(tendril_warnings INTERFACE)
target_compile_options(tendril_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(TENDRIL_WERROR)
    target_compile_options(tendril_warnings INTERFACE -Werror)
endif()

# TENDRIL_ASAN and TENDRIL_TSAN say so also in the one file that is not instrumented.
add_library(tendril_sanitizers INTERFACE)
if(TENDRIL_SANITIZE)
    set(flags -fsanitize=${TENDRIL_SANITIZE} -fno-sanitize-recover=all)
    if(TENDRIL_SANITIZE MATCHES "undefined")
        # It looks into objects through a pipe, and cries wolf when there are no fds left.
        list(APPEND flags -fno-sanitize=vptr)
    endif()
    target_compile_options(tendril_sanitizers INTERFACE ${flags} -fno-omit-frame-pointer)
    target_link_options(tendril_sanitizers INTERFACE ${flags})
    if(TENDRIL_SANITIZE MATCHES "address")
        target_compile_definitions(tendril_sanitizers INTERFACE TENDRIL_ASAN=1)
    endif()
    if(TENDRIL_SANITIZE MATCHES "thread")
        target_compile_definitions(tendril_sanitizers INTERFACE TENDRIL_TSAN=1)
    endif()
endif()

# For executables: sanitizers take their settings from the program, whoever starts it.
add_library(tendril_program INTERFACE)
target_link_libraries(tendril_program INTERFACE tendril_warnings tendril_sanitizers)
if(TENDRIL_SANITIZE)
    target_sources(tendril_program
                   INTERFACE ${PROJECT_SOURCE_DIR}/tests/support/sanitizer_options.cpp)
endif()
