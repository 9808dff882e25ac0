# SPDX-License-Identifier: MIT
# cmake -DCOMPILER=<c++> -DCASE=<file.cc> -DINCLUDES=<folder|folder> -P compile_twice.cmake
string(REPLACE "|" ";" folders "${INCLUDES}")
list(TRANSFORM folders PREPEND -I)
file(STRINGS ${CASE} expected REGEX "^// EXPECT: ")
string(REPLACE "// EXPECT: " "" expected "${expected}")
if(NOT expected)
  message(FATAL_ERROR "${CASE} does not say what the compiler has to say")
endif()

function(compile result output)
  execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra -Werror ${folders} ${ARGN} ${CASE}
    RESULT_VARIABLE code ERROR_VARIABLE said OUTPUT_VARIABLE said)
  set(${result} ${code} PARENT_SCOPE)
  set(${output} "${said}" PARENT_SCOPE)
endfunction()

compile(good said)
if(NOT good EQUAL 0)
  message(FATAL_ERROR "Without the mistake it does not compile either:\n${said}")
endif()
compile(bad said -DPAIRPORT_MUST_NOT_COMPILE)
if(bad EQUAL 0)
  message(FATAL_ERROR "The mistake compiles")
endif()
if(NOT said MATCHES "${expected}")
  message(FATAL_ERROR "The compiler refuses something else than \"${expected}\":\n${said}")
endif()
