# SPDX-License-Identifier: MIT
# Shared libraries next to the static ones, and what `cmake --install` puts where. Included last, when every target is
# complete. Each layer is a component of the package and an export set of its own, once static and once shared, so that
# who uses one layer needs the dependencies of no other.
set(pairport_layers core service http uv)

# Before 1.0 each minor version may change the ABI (doc/embedding.md, Stability).
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(pairport_soversion 0.${PROJECT_VERSION_MINOR})
  set(pairport_compatibility SameMinorVersion)
else()
  set(pairport_soversion ${PROJECT_VERSION_MAJOR})
  set(pairport_compatibility SameMajorVersion)
endif()

# pairport_shared_library(<layer>): the objects of the static library once more, linked to what it is linked to, the
# layers below as shared libraries. These lie beside it in the build folder as where it is installed, so that it names neither.
function(pairport_shared_library layer)
  set(target pairport_${layer}_shared)
  add_library(${target} SHARED $<TARGET_OBJECTS:pairport_${layer}>)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME pairport_${layer} EXPORT_NAME ${layer} LINKER_LANGUAGE CXX
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib VERSION ${PROJECT_VERSION} SOVERSION ${pairport_soversion}
    INSTALL_RPATH $ORIGIN BUILD_WITH_INSTALL_RPATH ON LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  foreach(kind LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
    get_target_property(libraries pairport_${layer} ${kind})
    list(FILTER libraries EXCLUDE REGEX LINK_ONLY)
    list(TRANSFORM libraries REPLACE "^pairport::(.*)$" "pairport_\\1_shared")
    set(${kind} ${libraries})
  endforeach()
  list(REMOVE_ITEM LINK_LIBRARIES ${INTERFACE_LINK_LIBRARIES})
  target_link_libraries(${target} PUBLIC ${INTERFACE_LINK_LIBRARIES} PRIVATE ${LINK_LIBRARIES})
  target_link_options(${target} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map -Wl,-z,defs)
  target_include_directories(${target} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} INTERFACE cxx_std_20)
endfunction()

if(PAIRPORT_BUILD_SHARED)
  foreach(layer IN LISTS pairport_layers)
    pairport_shared_library(${layer})
  endforeach()
endif()

if(NOT PAIRPORT_INSTALL)
  return()
endif()

# What the installed static pairport::http needs beyond itself and the core, which needs mbedTLS, too: CMake packages, and
# libraries for pkg-config.
set(pairport_http_packages "")
set(pairport_http_libraries -lmbedtls -lmbedx509)
set(pairport_find_modules ${PROJECT_SOURCE_DIR}/cmake/FindMbedTLS.cmake)
get_target_property(pairport_http_links pairport_http LINK_LIBRARIES)
if("LLHTTP::llhttp" IN_LIST pairport_http_links)
  set(pairport_http_packages LLHTTP)
  list(APPEND pairport_http_libraries -lllhttp)
  list(APPEND pairport_find_modules ${PROJECT_SOURCE_DIR}/cmake/FindLLHTTP.cmake)
endif()

include(CMakePackageConfigHelpers)
set(pairport_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/pairport)
set(pairport_pkgconfig_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Everything that `cmake --install` copies out of the build folder; script/server builds it.
add_custom_target(installed)
set(pairport_built "")
foreach(layer IN LISTS pairport_layers)
  list(APPEND pairport_built pairport_${layer})
  if(PAIRPORT_BUILD_SHARED)
    list(APPEND pairport_built pairport_${layer}_shared)
  endif()
endforeach()
if(TARGET pairport)
  list(APPEND pairport_built pairport)
endif()
add_dependencies(installed ${pairport_built})

# pairport_require(<component> <target>...): an installation stops before its first file when one of them is not built.
function(pairport_require component)
  list(TRANSFORM ARGN REPLACE "(.+)" "\"$<TARGET_FILE:\\1>\"" OUTPUT_VARIABLE files)
  list(JOIN files " " files)
  install(CODE "
    foreach(file IN ITEMS ${files})
      if(NOT EXISTS \"\${file}\")
        message(FATAL_ERROR \"\${file} is not built, so nothing was installed; run: cmake --build ${PROJECT_BINARY_DIR} --target installed\")
      endif()
    endforeach()" COMPONENT ${component})
endfunction()

set(pairport_shared_built ${pairport_built})
list(FILTER pairport_shared_built INCLUDE REGEX _shared$)
if(TARGET pairport)
  pairport_require(program pairport)
endif()
if(pairport_shared_built)
  pairport_require(runtime ${pairport_shared_built})
endif()
list(REMOVE_ITEM pairport_built pairport)
pairport_require(development ${pairport_built})

# pairport_install_layer(<layer> <static|shared> <target>)
function(pairport_install_layer layer linkage target)
  install(TARGETS ${target} EXPORT pairport-${layer}-${linkage}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  install(EXPORT pairport-${layer}-${linkage} NAMESPACE pairport:: DESTINATION ${pairport_package_folder}
    COMPONENT development)
endfunction()

foreach(layer IN LISTS pairport_layers)
  pairport_install_layer(${layer} static pairport_${layer})
  if(PAIRPORT_BUILD_SHARED)
    pairport_install_layer(${layer} shared pairport_${layer}_shared)
  endif()
endforeach()
foreach(folder core render net)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/include/pairport DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT development FILES_MATCHING PATTERN *.h)
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/core/include/pairport/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pairport
  COMPONENT development)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/pairport-config.cmake.in
  ${PROJECT_BINARY_DIR}/package/pairport-config.cmake INSTALL_DESTINATION ${pairport_package_folder}
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/pairport-config-version.cmake
  COMPATIBILITY ${pairport_compatibility})
install(FILES ${PROJECT_BINARY_DIR}/package/pairport-config.cmake
  ${PROJECT_BINARY_DIR}/package/pairport-config-version.cmake ${pairport_find_modules}
  DESTINATION ${pairport_package_folder} COMPONENT development)

# pairport_pkgconfig(<layer> <description> REQUIRES ... REQUIRES_PRIVATE ... LIBS_PRIVATE ...): what the static library
# needs stands under private, for `pkg-config --static`.
function(pairport_pkgconfig layer description)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "REQUIRES;REQUIRES_PRIVATE;LIBS_PRIVATE")
  list(JOIN arg_REQUIRES " " requires)
  list(JOIN arg_REQUIRES_PRIVATE " " requires_private)
  list(JOIN arg_LIBS_PRIVATE " " libs_private)
  if(IS_ABSOLUTE ${pairport_pkgconfig_folder})
    set(prefix ${CMAKE_INSTALL_PREFIX})
  else()
    # Relative to the file, so that an installation can be moved.
    file(RELATIVE_PATH prefix /prefix/${pairport_pkgconfig_folder} /prefix)
    set(prefix "\${pcfiledir}/${prefix}")
  endif()
  foreach(folder INCLUDEDIR LIBDIR)
    set(${folder} ${CMAKE_INSTALL_${folder}})
    if(NOT IS_ABSOLUTE ${${folder}})
      set(${folder} "\${prefix}/${${folder}}")
    endif()
  endforeach()
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/pairport.pc.in ${PROJECT_BINARY_DIR}/package/pairport-${layer}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/package/pairport-${layer}.pc DESTINATION ${pairport_pkgconfig_folder}
    COMPONENT development)
endfunction()

pairport_pkgconfig(core "deposits, pairing codes and the memory that they live in"
  REQUIRES_PRIVATE simdjson libxxhash LIBS_PRIVATE -lmbedcrypto -lstdc++)
pairport_pkgconfig(service "the pairing service without I/O: requests in, answers out"
  REQUIRES pairport-core REQUIRES_PRIVATE zlib)
pairport_pkgconfig(http "one HTTP/1 connection without I/O: bytes in, bytes out"
  REQUIRES pairport-service LIBS_PRIVATE ${pairport_http_libraries})
pairport_pkgconfig(uv "the pairing service on a libuv loop" REQUIRES pairport-http libuv)

if(TARGET pairport)
  install(TARGETS pairport RUNTIME COMPONENT program)
  # The unit names the program by its full path, which is known at installation only.
  install(CODE "
    set(folder \"${CMAKE_INSTALL_BINDIR}\")
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
    file(READ \"${PROJECT_SOURCE_DIR}/packaging/pairport.service\" unit)
    string(REPLACE \"/usr/local/bin\" \"\${folder}\" unit \"\${unit}\")
    file(WRITE \"${PROJECT_BINARY_DIR}/package/pairport.service\" \"\${unit}\")" COMPONENT program)
  # Where systemd itself says, for a package: /lib/systemd/system on Debian 12, /usr/lib/systemd/system on 13. Below any other
  # prefix the folder of that name, which systemd reads in /usr/local.
  set(pairport_unit_folder lib/systemd/system)
  if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    pkg_get_variable(pairport_systemd_folder systemd systemdsystemunitdir)
    if(pairport_systemd_folder)
      set(pairport_unit_folder ${pairport_systemd_folder})
    endif()
  endif()
  set(PAIRPORT_UNIT_FOLDER ${pairport_unit_folder} CACHE STRING "Folder of the systemd unit, relative to the prefix or absolute")
  install(FILES ${PROJECT_BINARY_DIR}/package/pairport.service DESTINATION ${PAIRPORT_UNIT_FOLDER} COMPONENT program)
  # An example, not /etc/rport/rport-pairing.conf: an installation must not change what a service runs on.
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/pairport.conf
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT program)
  install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/doc DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program FILES_MATCHING PATTERN *.md)
  # The picture of the README.
  install(FILES ${PROJECT_SOURCE_DIR}/bench/results/latest.svg DESTINATION ${CMAKE_INSTALL_DOCDIR}/bench/results COMPONENT program)
endif()
