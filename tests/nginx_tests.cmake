# SPDX-License-Identifier: MIT
# The module in the packaged nginx. AddressSanitizer's library has to be there before the program, which is built without.
find_program(NGINX_PROGRAM nginx PATHS /usr/sbin)
mark_as_advanced(NGINX_PROGRAM)
if(NOT TARGET nginx_headers OR NOT NGINX_PROGRAM OR PAIRPORT_SANITIZE MATCHES thread)
  message(STATUS "No tests of the nginx module: they need nginx and nginx-dev, and no ThreadSanitizer")
  return()
endif()

set(nginx_preload "")
if(PAIRPORT_SANITIZE MATCHES address)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libasan.so OUTPUT_VARIABLE nginx_preload
    OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()

function(pairport_nginx_test name file)
  pairport_python_test(${name} ${file})
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
    "PAIRPORT_NGINX_MODULE=$<TARGET_FILE:nginx_module>" "PAIRPORT_NGINX_PRELOAD=${nginx_preload}")
endfunction()

# What the program promises, unchanged.
pairport_nginx_test(nginx.contract tests/test_contract.py)
set_property(TEST nginx.contract APPEND PROPERTY ENVIRONMENT "PAIRPORT_SERVER=nginx")
pairport_nginx_test(nginx.module tests/test_nginx.py)
if(NOT PAIRPORT_SANITIZE)
  pairport_nginx_test(nginx.suspend tests/test_suspend.py)
  set_property(TEST nginx.suspend APPEND PROPERTY ENVIRONMENT "PAIRPORT_SERVER=nginx"
    "PAIRPORT_BOOT_TIME_PRELOAD=$<TARGET_FILE:boot_time_ahead>")
endif()
