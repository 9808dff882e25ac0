# SPDX-License-Identifier: MIT
# llhttp on both Debian releases, as target LLHTTP::llhttp:
#   13 ships a library and its header (libllhttp-dev);
#   12 ships C sources only (node-llhttp), which are compiled here with LLHTTP_STRICT_MODE=1: without it 8.1.0 has
#   no fix for CVE-2023-30589. The definition is public because the header's enums depend on it. As objects, which
#   become part of whatever library links to them: an installed one then needs nothing but itself.

find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/include /usr/share/include/llhttp)
find_library(LLHTTP_LIBRARY llhttp)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
if(LLHTTP_LIBRARY)
  find_package_handle_standard_args(LLHTTP REQUIRED_VARS LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR)
else()
  find_package_handle_standard_args(LLHTTP REQUIRED_VARS LLHTTP_SOURCE_DIR LLHTTP_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libllhttp-dev (Debian 13) or node-llhttp (Debian 12)")
endif()

if(LLHTTP_FOUND AND NOT TARGET LLHTTP::llhttp)
  if(LLHTTP_LIBRARY)
    add_library(LLHTTP::llhttp UNKNOWN IMPORTED GLOBAL)
    set_target_properties(LLHTTP::llhttp PROPERTIES IMPORTED_LOCATION ${LLHTTP_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${LLHTTP_INCLUDE_DIR})
  else()
    add_library(pairport_llhttp OBJECT
      ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
    target_include_directories(pairport_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    target_compile_definitions(pairport_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    set_target_properties(pairport_llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    add_library(LLHTTP::llhttp ALIAS pairport_llhttp)
  endif()
endif()
mark_as_advanced(LLHTTP_INCLUDE_DIR LLHTTP_LIBRARY LLHTTP_SOURCE_DIR)
