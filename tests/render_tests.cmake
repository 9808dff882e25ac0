# SPDX-License-Identifier: MIT
pairport_unit_test(quote LIBRARIES pairport::service simdjson::simdjson)
pairport_unit_test(template LIBRARIES pairport::service)
pairport_unit_test(gzip LIBRARIES pairport::service ZLIB::ZLIB)
pairport_unit_test(accept LIBRARIES pairport::service)
pairport_unit_test(target LIBRARIES pairport::service)
pairport_unit_test(options LIBRARIES pairport::service)
pairport_unit_test(body LIBRARIES pairport::service)
pairport_unit_test(service LIBRARIES pairport::service simdjson::simdjson ZLIB::ZLIB)
pairport_unit_test(allocation SOURCES support/failing_new.cc LIBRARIES pairport::service)

# The C interface, from C11 without extensions but POSIX's clocks.
function(pairport_c_program name source)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    $<$<BOOL:${PAIRPORT_WERROR}>:-Werror>)
  target_compile_definitions(${name} PRIVATE _POSIX_C_SOURCE=200809L)
  target_link_libraries(${name} PRIVATE pairport::service)
endfunction()
pairport_c_program(capi_test capi_test.c)
add_test(NAME unit.capi COMMAND capi_test)
pairport_c_program(embed_answer embed/answer.c)
add_test(NAME embed.answer COMMAND embed_answer)
