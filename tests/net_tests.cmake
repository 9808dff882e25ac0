# SPDX-License-Identifier: MIT
pairport_unit_test(head_guard LIBRARIES pairport::http)
pairport_unit_test(chunked LIBRARIES pairport::http)
pairport_unit_test(connection LIBRARIES pairport::http)
pairport_unit_test(conformance LIBRARIES pairport::http)
pairport_unit_test(listener LIBRARIES pairport::uv)
pairport_unit_test(server LIBRARIES pairport::uv)
pairport_unit_test(config SOURCES ${PROJECT_SOURCE_DIR}/net/config.cc LIBRARIES pairport::uv tomlplusplus::tomlplusplus)
target_compile_definitions(config_test PRIVATE PAIRPORT_EXAMPLE_CONFIG="${PROJECT_SOURCE_DIR}/packaging/pairport.conf")

pairport_python_test(contract tests/test_contract.py)
pairport_python_test(command_line tests/test_command_line.py)
pairport_python_test(layering tests/test_layering.py)
pairport_python_test(valgrind tests/test_valgrind.py)
