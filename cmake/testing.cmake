# SPDX-License-Identifier: AGPL-3.0-or-later
if(NFO_TESTS)
	enable_testing()
endif()

# nfo_unit_tests(LAYERS...): each NAME_test.c of the folder is one cmocka
# program, linked with the given layers.
function(nfo_unit_tests)
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.c)
	add_custom_target(sandbox_unit_tests) # what examples/release.yaml builds
	foreach(source ${sources})
		get_filename_component(name ${source} NAME_WE)
		add_executable(unit_${name} ${source})
		target_compile_definitions(unit_${name} PRIVATE
			NFO_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data"
			NFO_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
		set(layers ${ARGN})
		if(name MATCHES "^sandbox") # so that it builds without the rest
			set(layers sandbox base)
		endif()
		foreach(layer ${layers})
			target_link_libraries(unit_${name} PRIVATE nfo_${layer})
		endforeach()
		target_link_libraries(unit_${name} PRIVATE PkgConfig::CMOCKA)
		if(name MATCHES "^sandbox")
			add_dependencies(sandbox_unit_tests unit_${name})
		endif()
		add_test(NAME unit.${name} COMMAND unit_${name})
		set_tests_properties(unit.${name} PROPERTIES LABELS unit
			TIMEOUT 120)
	endforeach()
endfunction()

# nfo_fuzz_targets(LAYERS...): each NAME_fuzz.c defines LLVMFuzzerTestOneInput.
# With NFO_FUZZ it is a libFuzzer program; without, a program that replays
# fuzz/corpus/NAME, which ctest runs.
function(nfo_fuzz_targets)
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_fuzz.c)
	foreach(source ${sources})
		get_filename_component(name ${source} NAME_WE)
		string(REPLACE "_fuzz" "" short ${name})
		if(NFO_FUZZ)
			add_executable(${name} ${source})
			target_link_options(${name} PRIVATE -fsanitize=fuzzer)
		else()
			add_executable(${name} ${source} replay.c)
			add_test(NAME fuzz.${short} COMMAND ${name}
				${CMAKE_CURRENT_SOURCE_DIR}/corpus/${short})
			set_tests_properties(fuzz.${short} PROPERTIES LABELS fuzz
				TIMEOUT 300)
		endif()
		foreach(layer ${ARGN})
			target_link_libraries(${name} PRIVATE nfo_${layer})
		endforeach()
	endforeach()
endfunction()
