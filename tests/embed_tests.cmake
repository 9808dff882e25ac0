# SPDX-License-Identifier: MIT
# The examples of embedding, compiled and run; embed.answer stands with the tests of the C interface.
pairport_c_program(capi_uv_test capi_uv_test.c)
target_link_libraries(capi_uv_test PRIVATE pairport::uv)
add_test(NAME unit.capi_uv COMMAND capi_uv_test)
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
