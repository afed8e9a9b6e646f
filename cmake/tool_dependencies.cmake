# SPDX-License-Identifier: BSL-1.0
# What bin/tendril is built on beside libc, for `tendril audit`; the libraries need none of it. Adds to
# tendril_missing.
find_package(PkgConfig QUIET)
add_library(tendril_tool_dependencies INTERFACE)
foreach(
    need IN
    ITEMS "libelf|0.170|libelf|libelf-dev"
          "capstone|4.0|Capstone|libcapstone-dev"
          "nlohmann_json|3.7|JSON for Modern C++|nlohmann-json3-dev")
    string(REPLACE "|" ";" need "${need}")
    list(GET need 0 module)
    list(GET need 1 version)
    list(GET need 2 title)
    list(GET need 3 package)
    if(PkgConfig_FOUND)
        pkg_check_modules(tendril_${module} QUIET IMPORTED_TARGET ${module})
    endif()
    if(NOT tendril_${module}_VERSION VERSION_GREATER_EQUAL ${version})
        string(APPEND tendril_missing
               "tendril needs ${title} ${version} or newer (Debian: ${package} pkg-config)")
        if(tendril_${module}_VERSION)
            string(APPEND tendril_missing ", found ${tendril_${module}_VERSION}")
        endif()
        string(APPEND tendril_missing "\n")
    elseif(module STREQUAL "capstone")
        # Loaded when it is needed.
        target_include_directories(tendril_tool_dependencies SYSTEM
                                   INTERFACE ${tendril_capstone_INCLUDE_DIRS})
    else()
        target_link_libraries(tendril_tool_dependencies INTERFACE PkgConfig::tendril_${module})
    endif()
endforeach()
target_link_libraries(tendril_tool_dependencies INTERFACE ${CMAKE_DL_LIBS})
