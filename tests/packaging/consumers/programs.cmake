# SPDX-License-Identifier: BSL-1.0
# Each way of linking. The targets have the same names, whether installed or built with the project.
set(CMAKE_C_STANDARD 99)
set(CMAKE_CXX_STANDARD 17)

foreach(language IN ITEMS c cpp)
    foreach(linkage IN ITEMS shared static)
        string(REPLACE "_shared" "" suffix "_${linkage}")
        foreach(shim IN ITEMS plain shim)
            set(name ${language}_${linkage}_${shim})
            add_executable(${name} ${CMAKE_CURRENT_LIST_DIR}/program.${language})
            target_link_libraries(${name} PRIVATE tendril::tendril${suffix})
            if(shim STREQUAL "shim")
                target_link_libraries(${name} PRIVATE tendril::shim${suffix})
            endif()
        endforeach()
    endforeach()
endforeach()
