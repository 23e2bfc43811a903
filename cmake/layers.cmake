# SPDX-License-Identifier: AGPL-3.0-or-later
# nfo_library(NAME [LAYERS lib...] [LIBS imported...]): every .c of the folder
# becomes the static library nfo_NAME.  LAYERS is the list of folders that it
# may include; tests/lint/layers reads the same lines.
function(nfo_library name)
	cmake_parse_arguments(A "" "" "LAYERS;LIBS" ${ARGN})
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c
		${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
	if(NOT sources)
		add_library(nfo_${name} INTERFACE)
		return()
	endif()
	add_library(nfo_${name} STATIC ${sources})
	target_compile_options(nfo_${name} PRIVATE ${NFO_WARNINGS}
		$<$<COMPILE_LANGUAGE:C>:${NFO_C_WARNINGS}>)
	foreach(layer ${A_LAYERS})
		target_link_libraries(nfo_${name} PUBLIC nfo_${layer})
	endforeach()
	foreach(lib ${A_LIBS})
		target_link_libraries(nfo_${name} PRIVATE PkgConfig::${lib})
	endforeach()
endfunction()

# nfo_program(NAME SOURCES file... LAYERS lib...)
function(nfo_program name)
	cmake_parse_arguments(A "" "" "SOURCES;LAYERS" ${ARGN})
	add_executable(${name} ${A_SOURCES})
	target_compile_options(${name} PRIVATE ${NFO_WARNINGS} ${NFO_C_WARNINGS})
	foreach(layer ${A_LAYERS})
		target_link_libraries(${name} PRIVATE nfo_${layer})
	endforeach()
endfunction()
