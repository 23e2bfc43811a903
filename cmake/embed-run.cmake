# SPDX-License-Identifier: AGPL-3.0-or-later
# The script behind nfo_embed().
set(text "/* Made by cmake/embed-run.cmake. */\n#include \"${HEADER}\"\n\n")
string(APPEND text "const struct ${ARRAY} ${ARRAY}[] = {\n")
set(n 0)
foreach(file ${FILES})
	get_filename_component(name ${file} NAME)
	file(READ ${file} hex HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
	# One literal a line of 32 bytes, so that no compiler limit is met.
	string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f]){32})" "\\1\"\n\"" bytes
		"${bytes}")
	string(APPEND text "{\"${name}\",\n\"${bytes}\"},\n")
	math(EXPR n "${n} + 1")
endforeach()
string(APPEND text "};\n\nconst size_t ${COUNT} = ${n};\n")
file(WRITE ${OUTPUT} "${text}")
