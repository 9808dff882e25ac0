# SPDX-License-Identifier: MIT
pairport_unit_test(status LIBRARIES pairport::core)
pairport_unit_test(deposit LIBRARIES pairport::core)
pairport_unit_test(code LIBRARIES pairport::core)
pairport_unit_test(code_table LIBRARIES pairport::core)
pairport_unit_test(slab LIBRARIES pairport::core)
pairport_unit_test(timer_wheel LIBRARIES pairport::core)
pairport_unit_test(store LIBRARIES pairport::core PkgConfig::xxhash)
pairport_unit_test(secret_memory LIBRARIES pairport::core)
