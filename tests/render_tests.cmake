# SPDX-License-Identifier: MIT
pairport_unit_test(quote LIBRARIES pairport::service simdjson::simdjson)
pairport_unit_test(template LIBRARIES pairport::service)
pairport_unit_test(gzip LIBRARIES pairport::service ZLIB::ZLIB)
pairport_unit_test(accept LIBRARIES pairport::service)
pairport_unit_test(target LIBRARIES pairport::service)
pairport_unit_test(body LIBRARIES pairport::service)
pairport_unit_test(service LIBRARIES pairport::service simdjson::simdjson ZLIB::ZLIB)
pairport_unit_test(allocation SOURCES support/failing_new.cc LIBRARIES pairport::service)
