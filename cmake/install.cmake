# SPDX-License-Identifier: BSL-1.0
# meson.build installs the same files from the same templates: a user need not know which build it was.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tendril)
set(generated ${PROJECT_BINARY_DIR}/package)

# Paths inside the package are relative: the install tree can be moved.
set(version ${PROJECT_VERSION})
set(major ${PROJECT_VERSION_MAJOR})
set(includedir ${CMAKE_INSTALL_INCLUDEDIR})
set(libdir ${CMAKE_INSTALL_LIBDIR})
string(REGEX REPLACE "[^/]+" ".." prefix_from_libdir ${CMAKE_INSTALL_LIBDIR})
foreach(file IN ITEMS tendril.pc tendril_shim.pc tendril_boost_fiber.pc tendrilConfig.cmake)
    configure_file(cmake/${file}.in ${generated}/${file} @ONLY)
endforeach()
write_basic_package_version_file(${generated}/tendrilConfigVersion.cmake
                                 COMPATIBILITY SameMajorVersion)

set(libraries tendril tendril_static)
set(pc_files ${generated}/tendril.pc ${generated}/tendril_boost_fiber.pc)
if(TARGET tendril_shim)
    list(APPEND libraries tendril_shim tendril_shim_archive)
    list(APPEND pc_files ${generated}/tendril_shim.pc)
endif()
install(TARGETS ${libraries})
if(TARGET tendril_tool)
    install(TARGETS tendril_tool)
    install(FILES docs/tendril.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(DIRECTORY include/ TYPE INCLUDE)
install(FILES ${pc_files} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${generated}/tendrilConfig.cmake ${generated}/tendrilConfigVersion.cmake
              cmake/dependencies.cmake DESTINATION ${package_dir})
