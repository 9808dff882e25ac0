# SPDX-License-Identifier: MIT
# What every target built here shares. Warnings are never exported, and errors only where PAIRPORT_WERROR asks for it: the next
# compiler knows new ones, which must not stop a distribution's build.

function(pairport_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wcast-qual -Wformat=2 -Wimplicit-fallthrough
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>
    $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
  # GCC 12 sees overlaps where strings are joined, with -O3 only (GCC bug 105651).
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(PAIRPORT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# pairport_library(<target> ALIAS <exported name> SOURCES ...): one layer as a static library, public headers in
# include/ of the folder. Its objects will do for a shared library, too: see PairportInstall.cmake.
function(pairport_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ALIAS" "SOURCES")
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(pairport::${arg_ALIAS} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_ALIAS}
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  # Internal headers are included by their path from the root: "core/store/slab.h".
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  pairport_warnings(${target})
endfunction()
