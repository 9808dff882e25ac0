# SPDX-License-Identifier: MIT
# A test that nobody runs looks like one that passes. So each test says which file it is of, and the configuration fails
# when a folder has a test file that none of them has named.

# pairport_test_file(<file>...): these are run, or are known not to be run in a build like this one. Relative to the
# current folder.
function(pairport_test_file)
  foreach(file IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "There is no ${file}")
    endif()
    set_property(GLOBAL APPEND PROPERTY pairport_test_files ${file})
  endforeach()
endfunction()

# pairport_require_every_test(<pattern>...): every file of these names, here and below, has been named.
function(pairport_require_every_test)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE patterns)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${patterns})
  get_property(named GLOBAL PROPERTY pairport_test_files)
  list(REMOVE_ITEM files ${named})
  if(files)
    list(JOIN files "\n  " files)
    message(FATAL_ERROR "No CMakeLists.txt names these, so that they would never run:\n  ${files}")
  endif()
endfunction()
