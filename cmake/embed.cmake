# SPDX-License-Identifier: AGPL-3.0-or-later
# nfo_embed(OUTPUT INCLUDE ARRAY COUNT FILE...): a C source with the text of
# each file, as {name, text} rows; made again when a file changes.
function(nfo_embed output header array count)
	add_custom_command(OUTPUT ${output}
		COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DHEADER=${header}
			-DARRAY=${array} -DCOUNT=${count} "-DFILES=${ARGN}"
			-P ${CMAKE_SOURCE_DIR}/cmake/embed-run.cmake
		DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/embed-run.cmake
		VERBATIM)
endfunction()
