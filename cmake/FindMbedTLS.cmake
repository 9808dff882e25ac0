# SPDX-License-Identifier: MIT
# mbedTLS on both Debian releases (2.28 comes without a package configuration of its own, 3.6 with one), as targets
# MbedTLS::mbedtls -> MbedTLS::mbedx509 -> MbedTLS::mbedcrypto, the names that 3.6 gives them.

find_path(MbedTLS_INCLUDE_DIR mbedtls/ssl.h)
find_library(MbedTLS_LIBRARY mbedtls)
find_library(MbedTLS_X509_LIBRARY mbedx509)
find_library(MbedTLS_CRYPTO_LIBRARY mbedcrypto)

if(MbedTLS_INCLUDE_DIR)
  file(STRINGS ${MbedTLS_INCLUDE_DIR}/mbedtls/version.h _mbedtls_version REGEX "MBEDTLS_VERSION_STRING ")
  if(NOT _mbedtls_version)
    file(STRINGS ${MbedTLS_INCLUDE_DIR}/mbedtls/build_info.h _mbedtls_version REGEX "MBEDTLS_VERSION_STRING ")
  endif()
  string(REGEX MATCH "[0-9]+\\.[0-9.]+" MbedTLS_VERSION "${_mbedtls_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MbedTLS
  REQUIRED_VARS MbedTLS_LIBRARY MbedTLS_X509_LIBRARY MbedTLS_CRYPTO_LIBRARY MbedTLS_INCLUDE_DIR
  VERSION_VAR MbedTLS_VERSION
  REASON_FAILURE_MESSAGE "install libmbedtls-dev")

if(MbedTLS_FOUND AND NOT TARGET MbedTLS::mbedtls)
  foreach(_library mbedcrypto:CRYPTO_ mbedx509:X509_ mbedtls:)
    string(REGEX MATCH "^[a-z0-9]+" _name ${_library})
    string(REGEX REPLACE "^[a-z0-9]+:" "" _kind ${_library})
    add_library(MbedTLS::${_name} UNKNOWN IMPORTED)
    set_target_properties(MbedTLS::${_name} PROPERTIES
      IMPORTED_LOCATION "${MbedTLS_${_kind}LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${MbedTLS_INCLUDE_DIR}")
  endforeach()
  set_target_properties(MbedTLS::mbedx509 PROPERTIES INTERFACE_LINK_LIBRARIES MbedTLS::mbedcrypto)
  set_target_properties(MbedTLS::mbedtls PROPERTIES INTERFACE_LINK_LIBRARIES MbedTLS::mbedx509)
endif()
mark_as_advanced(MbedTLS_INCLUDE_DIR MbedTLS_LIBRARY MbedTLS_X509_LIBRARY MbedTLS_CRYPTO_LIBRARY)
