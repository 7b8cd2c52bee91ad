# What every floor shares: language level, warnings, sanitizers, hardening, and two functions,
# egret_floor() for a library and egret_tests() for its doctest program.

set(EGRET_SANITIZE "" CACHE STRING "value for -fsanitize=, empty for none")
option(EGRET_FUZZ "build the libFuzzer targets (needs clang)" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

find_program(EGRET_CCACHE ccache)
if(EGRET_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${EGRET_CCACHE})
endif()

add_library(egret_options INTERFACE)
target_compile_options(egret_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wimplicit-fallthrough -Werror
  -fstack-protector-strong -fno-omit-frame-pointer)
target_compile_definitions(egret_options INTERFACE _GLIBCXX_ASSERTIONS)
target_include_directories(egret_options INTERFACE ${PROJECT_SOURCE_DIR})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Static inheritance of coroutine frames trips false positives of these two in g++ 12.
  target_compile_options(egret_options INTERFACE -Wno-mismatched-new-delete -Wno-maybe-uninitialized)
endif()
if(EGRET_SANITIZE)
  target_compile_options(egret_options INTERFACE -fsanitize=${EGRET_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(egret_options INTERFACE -fsanitize=${EGRET_SANITIZE})
  if(EGRET_SANITIZE MATCHES thread)
    target_compile_options(egret_options INTERFACE -Wno-error=tsan)
  endif()
elseif(EGRET_FUZZ)
  target_compile_options(egret_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize=function -fno-sanitize-recover=all)
  target_link_options(egret_options INTERFACE -fsanitize=address,undefined)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(egret_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
target_link_options(egret_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

# egret_floor(<name> [LINK <targets>...]): one static library egret_<name> from the sources in this
# folder and its sub-folders. Headers are a verified set: each must compile alone.
function(egret_floor name)
  cmake_parse_arguments(arg "" "" "LINK;DIRS" ${ARGN})
  if(NOT arg_DIRS)
    set(arg_DIRS .)
  endif()
  set(sources)
  set(headers)
  foreach(dir ${arg_DIRS})
    file(GLOB_RECURSE s CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.cpp)
    file(GLOB_RECURSE h CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.h)
    list(APPEND sources ${s})
    list(APPEND headers ${h})
  endforeach()
  if(sources)
    add_library(egret_${name} STATIC ${sources})
    target_link_libraries(egret_${name} PUBLIC egret_options ${arg_LINK})
    target_sources(egret_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  else()
    add_library(egret_${name} INTERFACE)
    target_link_libraries(egret_${name} INTERFACE egret_options ${arg_LINK})
  endif()
endfunction()

# egret_tests(<name> [LINK <targets>...]): a doctest program from every *_test.cpp below this folder;
# each test case becomes one CTest test.
function(egret_tests name)
  cmake_parse_arguments(arg "" "" "LINK;LABELS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_tests ${sources} ${PROJECT_SOURCE_DIR}/tests/support/doctest_main.cpp)
  target_link_libraries(${name}_tests PRIVATE ${arg_LINK} doctest::doctest)
  include(doctest)
  doctest_discover_tests(${name}_tests TEST_PREFIX "${name}: " PROPERTIES LABELS "${name}" TIMEOUT 120)
endfunction()
