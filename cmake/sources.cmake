# SPDX-License-Identifier: BSL-1.0
# The sources.txt files, which Meson reads too: one path per line, then words; # starts a comment.

# Puts the lines of LIST_FILE into OUT and makes CMake run again when the list changes.
function(tendril_read_list out list_file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${list_file})
    file(STRINGS ${PROJECT_SOURCE_DIR}/${list_file} lines REGEX "^[^#]")
    foreach(line IN LISTS lines)
        string(REGEX MATCH "^[^ \t]+" path "${line}")
        if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${path})
            message(FATAL_ERROR "${list_file} names ${path}, which does not exist")
        endif()
    endforeach()
    set(${out} "${lines}" PARENT_SCOPE)
endfunction()

# Splits one line into its absolute path, the name that a target takes from it, and its words.
function(tendril_split_line line path name words)
    separate_arguments(parts UNIX_COMMAND "${line}")
    list(POP_FRONT parts file)
    get_filename_component(stem ${file} NAME_WLE)
    set(${path} ${PROJECT_SOURCE_DIR}/${file} PARENT_SCOPE)
    set(${name} ${stem} PARENT_SCOPE)
    set(${words} "${parts}" PARENT_SCOPE)
endfunction()
