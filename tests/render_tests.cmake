# SPDX-License-Identifier: MIT
pairport_unit_test(quote LIBRARIES pairport::service simdjson::simdjson)
