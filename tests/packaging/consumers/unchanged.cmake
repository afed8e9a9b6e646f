# SPDX-License-Identifier: BSL-1.0
# A subproject leaves the settings of the project around it as they are.
set(settings COMPILE_DEFINITIONS COMPILE_OPTIONS INCLUDE_DIRECTORIES LINK_DIRECTORIES LINK_LIBRARIES
             LINK_OPTIONS TESTS)

macro(remember_settings)
    foreach(property IN LISTS settings)
        get_directory_property(before_${property} ${property})
    endforeach()
    get_cmake_property(before VARIABLES)
    foreach(name IN LISTS before)
        set(before_${name} "${${name}}")
    endforeach()
endmacro()

macro(check_settings)
    foreach(property IN LISTS settings)
        get_directory_property(${property} ${property})
    endforeach()
    # prefix_result: FindPkgConfig's, whoever asked it last.
    foreach(name IN LISTS before settings)
        if(NOT "${${name}}" STREQUAL "${before_${name}}"
           AND NOT name MATCHES "^(CMAKE_MATCH_.*|prefix_result)$")
            message(SEND_ERROR "${name} was '${before_${name}}' and is '${${name}}'")
        endif()
    endforeach()
    get_cmake_property(after VARIABLES)
    foreach(name IN LISTS after)
        if(name MATCHES "^CMAKE_.*(FLAGS|STANDARD|VISIBILITY|POSITION|OUTPUT_DIRECTORY|BUILD_TYPE)"
           AND NOT name IN_LIST before)
            message(SEND_ERROR "${name} is set")
        endif()
    endforeach()
endmacro()
