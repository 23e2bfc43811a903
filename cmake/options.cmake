# SPDX-License-Identifier: AGPL-3.0-or-later
option(NFO_TESTS "Build the tests and the fuzz targets" ON)
option(NFO_BENCH "Build the benchmarks" OFF)
option(NFO_FUZZ "Link the fuzz targets with libFuzzer (clang)" OFF)
option(NFO_WERROR "Warnings are errors" OFF)
option(NFO_CRASH_POINTS "Places where a test lets a role die; not to install" OFF)
set(NFO_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")
add_compile_definitions(_GNU_SOURCE)
if(NFO_CRASH_POINTS)
	add_compile_definitions(NFO_CRASH_POINTS)
endif()
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)

# One place for all programs, so that each finds its siblings.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
