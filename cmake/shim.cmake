# SPDX-License-Identifier: BSL-1.0
# libtendril_shim.so and libtendril_shim.a from the list in `sources`.

add_library(tendril_shim_objects OBJECT ${sources})
target_include_directories(tendril_shim_objects PRIVATE include .)
target_compile_definitions(tendril_shim_objects
                           PRIVATE TENDRIL_LIBRARY_VERSION="${PROJECT_VERSION}")
# Fortified headers would define read() as an inline wrapper of what is defined here. The whole of it
# is resident in every process, so it is made small.
target_compile_options(
    tendril_shim_objects PRIVATE -Os -fno-exceptions -fno-rtti -fno-threadsafe-statics
                                 -ftls-model=initial-exec -U_FORTIFY_SOURCE)
target_link_libraries(tendril_shim_objects PRIVATE tendril_warnings)
# Functions that end in a jump are not on the stack when anything is thrown, so they need no entry in
# the tables for unwinding, which would be a fifth of the library.
set_source_files_properties(
    shims/entry/entries.cpp shims/entry/originals.cpp shims/entry/tables.cpp
    PROPERTIES COMPILE_OPTIONS "$<$<CXX_COMPILER_ID:GNU>:-fexceptions;-fno-unwind-tables;\
-fno-asynchronous-unwind-tables;-fno-dwarf2-cfi-asm>")

add_library(tendril_shim SHARED $<TARGET_OBJECTS:tendril_shim_objects>)
set_target_properties(
    tendril_shim PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION}
                            SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_options(tendril_shim PRIVATE -nodefaultlibs LINKER:-z,defs LINKER:-z,nodelete)
target_link_libraries(tendril_shim PRIVATE c)

add_library(tendril_shim_archive STATIC $<TARGET_OBJECTS:tendril_shim_objects>)
set_target_properties(tendril_shim_archive PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME tendril_shim)

# What users link. A linker told --as-needed would drop the shim, whose names libc has as well.
add_library(tendril_shim_link INTERFACE)
target_link_libraries(tendril_shim_link INTERFACE -Wl,--push-state,--no-as-needed tendril_shim
                                                  -Wl,--pop-state)
add_library(tendril::shim ALIAS tendril_shim_link)

# An archive's members are only taken for names still undefined, which read() is not: take all. The
# hub finds the shim by dlsym.
add_library(tendril_shim_static INTERFACE)
target_link_libraries(tendril_shim_static
                      INTERFACE $<LINK_LIBRARY:WHOLE_ARCHIVE,tendril_shim_archive> ${CMAKE_DL_LIBS})
target_link_options(tendril_shim_static INTERFACE LINKER:--export-dynamic-symbol=tendril_shim_attach_v1)
add_library(tendril::shim_static ALIAS tendril_shim_static)
