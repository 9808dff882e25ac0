# SPDX-License-Identifier: MIT
# What every target built here shares. Warnings are errors only in our own top-level build, and never exported.

function(pairport_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wcast-qual -Wformat=2 -Wimplicit-fallthrough)
  # GCC 12 sees overlaps where strings are joined, with -O3 only (GCC bug 105651).
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# pairport_library(<folder-name> ALIAS <exported name> SOURCES ...): one layer, headers under <folder>/include.
function(pairport_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ALIAS" "SOURCES")
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(pairport::${arg_ALIAS} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_ALIAS})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  pairport_warnings(${target})
endfunction()
