# SPDX-License-Identifier: BSL-1.0
# What libtendril is built on. The installed package includes this file too, for its static library.

find_package(Boost 1.74 QUIET COMPONENTS context)
if(NOT Boost_FOUND)
    message(FATAL_ERROR "tendril needs Boost.Context 1.74 or newer (Debian: libboost-context-dev)")
endif()
find_package(Threads REQUIRED)

# Debian's libc-ares-dev has a .pc file and no CMake package; others have both.
if(NOT TARGET tendril::cares)
    add_library(tendril::cares INTERFACE IMPORTED)
    find_package(c-ares CONFIG QUIET)
    if(TARGET c-ares::cares)
        target_link_libraries(tendril::cares INTERFACE c-ares::cares)
    else()
        find_package(PkgConfig QUIET)
        if(PkgConfig_FOUND)
            pkg_check_modules(tendril_libcares QUIET IMPORTED_TARGET libcares>=1.18)
        endif()
        if(NOT TARGET PkgConfig::tendril_libcares)
            message(FATAL_ERROR "tendril needs c-ares 1.18 or newer (Debian: libc-ares-dev pkg-config)")
        endif()
        target_link_libraries(tendril::cares INTERFACE PkgConfig::tendril_libcares)
    endif()
endif()
