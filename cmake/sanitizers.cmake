# SPDX-License-Identifier: AGPL-3.0-or-later
if(NFO_SANITIZE)
	add_compile_options(-fsanitize=${NFO_SANITIZE} -fno-omit-frame-pointer
		-fno-sanitize-recover=all -g -O1)
	add_link_options(-fsanitize=${NFO_SANITIZE})
endif()
if(NFO_FUZZ) # libFuzzer sees only what counts its branches
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
