# SPDX-License-Identifier: BSL-1.0
# What libtendril is built on. The installed package includes this file too, for its static library.
# Sets tendril_missing to what the user has to install, empty if nothing.
set(tendril_missing "")

find_package(Boost 1.74 QUIET COMPONENTS context)
if(NOT TARGET Boost::context)
    string(APPEND tendril_missing
           "tendril needs Boost.Context 1.74 or newer (Debian: libboost-context-dev)")
    foreach(_tendril_found IN ITEMS ${Boost_VERSION_STRING} ${Boost_CONSIDERED_VERSIONS})
        string(APPEND tendril_missing ", found ${_tendril_found}")
        break()
    endforeach()
    string(APPEND tendril_missing "\n")
endif()

# Debian's libc-ares-dev has a .pc file and no CMake package; others have both.
if(NOT TARGET tendril::cares)
    find_package(c-ares 1.18 CONFIG QUIET)
    find_package(PkgConfig QUIET)
    if(NOT TARGET c-ares::cares AND PkgConfig_FOUND)
        pkg_check_modules(tendril_libcares QUIET IMPORTED_TARGET libcares)
    endif()
    if(TARGET c-ares::cares)
        add_library(tendril::cares INTERFACE IMPORTED)
        target_link_libraries(tendril::cares INTERFACE c-ares::cares)
    elseif(tendril_libcares_VERSION VERSION_GREATER_EQUAL 1.18)
        add_library(tendril::cares INTERFACE IMPORTED)
        target_link_libraries(tendril::cares INTERFACE PkgConfig::tendril_libcares)
    else()
        string(APPEND tendril_missing
               "tendril needs c-ares 1.18 or newer (Debian: libc-ares-dev pkg-config)")
        if(tendril_libcares_VERSION)
            string(APPEND tendril_missing ", found ${tendril_libcares_VERSION}")
        endif()
        string(APPEND tendril_missing "\n")
    endif()
endif()

find_package(Threads REQUIRED)
