# The few functions that every folder's CMakeLists.txt is written with.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(MOLDAU_FUZZ "Build the libFuzzer targets" OFF)

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror -Werror=switch
                    -Wno-missing-field-initializers -fno-omit-frame-pointer)
add_link_options(-fuse-ld=lld -Wl,--as-needed)
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/gen)

find_program(ccache_program ccache)
if(ccache_program)
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache_program})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_program})
endif()

find_package(PkgConfig REQUIRED)
find_package(GTest REQUIRED)
find_package(Threads REQUIRED)

# moldau_library(NAME SOURCES a.cc ... DEPS other ...): a static library of one folder. DEPS are
# its permitted includes.
function(moldau_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC ${arg_DEPS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_DEPS})
  endif()
endfunction()

# moldau_test(NAME SOURCES a_test.cc ... DEPS library ...): one GoogleTest program, run by ctest.
# TESTDATA is the folder's own testdata/ (working directory of the run).
function(moldau_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS unit)
endfunction()

# moldau_fuzz(NAME SOURCES a_fuzz.cc DEPS ...): a libFuzzer program when MOLDAU_FUZZ is on.
function(moldau_fuzz name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT MOLDAU_FUZZ)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
