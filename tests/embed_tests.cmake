# SPDX-License-Identifier: MIT
# The examples of embedding, compiled and run; embed.answer stands with the tests of the C interface.
pairport_c_program(capi_uv_test capi_uv_test.c)
target_link_libraries(capi_uv_test PRIVATE pairport::uv)
add_test(NAME unit.capi_uv COMMAND capi_uv_test)
# Structures grow at their end: a program of version one runs with a library whose structures all have one member more.
set(grown ${CMAKE_CURRENT_BINARY_DIR}/grown/include/pairport)
foreach(header ${PROJECT_SOURCE_DIR}/render/include/pairport/pairport.h
    ${PROJECT_SOURCE_DIR}/net/include/pairport/pairport_uv.h)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  get_filename_component(name ${header} NAME)
  file(READ ${header} text)
  string(REGEX REPLACE "\n} (pairport_(options|request|stats|server_options|listen_options));"
    "\n  void* appended;\n} \\1;" text "${text}")
  file(CONFIGURE OUTPUT ${grown}/${name} CONTENT "${text}" @ONLY)
endforeach()
pairport_c_program(capi_version_one_test capi_version_one_test.c)
target_include_directories(capi_version_one_test BEFORE PRIVATE abi/version_1)
target_link_libraries(capi_version_one_test PRIVATE pairport::uv)
add_library(capi_grown OBJECT ${PROJECT_SOURCE_DIR}/render/c/capi.cc ${PROJECT_SOURCE_DIR}/render/c/process_mark.cc
  ${PROJECT_SOURCE_DIR}/net/capi_uv.cc)
pairport_warnings(capi_grown)
target_include_directories(capi_grown BEFORE PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/grown/include)
target_include_directories(capi_grown PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(capi_grown PRIVATE pairport::uv)
target_link_libraries(capi_version_one_test PRIVATE capi_grown)
add_test(NAME unit.capi_version_one COMMAND capi_version_one_test)

pairport_python_test(capi_uv_tls tests/test_capi_uv_tls.py)

pairport_c_program(embed_attach_c embed/attach.c)
target_link_libraries(embed_attach_c PRIVATE pairport::uv)
add_test(NAME embed.attach_c COMMAND embed_attach_c)

foreach(name attach poll)
  add_executable(embed_${name} embed/${name}.cc)
  pairport_warnings(embed_${name})
endforeach()
target_link_libraries(embed_attach PRIVATE pairport::uv)
target_link_libraries(embed_poll PRIVATE pairport::http)
add_test(NAME embed.attach COMMAND embed_attach)
pairport_python_test(embed.poll tests/test_embed_poll.py)

if(PAIRPORT_BUILD_SHARED AND PAIRPORT_INSTALL AND NOT PAIRPORT_SANITIZE)
  pairport_python_test(install tests/test_install.py)
  set_tests_properties(install PROPERTIES LABELS slow)
  pairport_python_test(abi tests/test_abi.py)
  # What the shared libraries are from now on, for tests/abi: see tests/test_abi.py.
  add_custom_target(abi_baseline
    COMMAND ${CMAKE_COMMAND} -E env PAIRPORT_BUILD=${PROJECT_BINARY_DIR} PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support
      PYTHONDONTWRITEBYTECODE=1 ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/test_abi.py --write
    DEPENDS pairport_uv_shared VERBATIM)
endif()
