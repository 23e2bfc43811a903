# SPDX-License-Identifier: AGPL-3.0-or-later
# The OpenSSF list of compiler options, as far as gcc 12 and clang 14 go.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_options(-fstack-protector-strong -fno-delete-null-pointer-checks
	-fno-strict-overflow -fno-strict-aliasing -Wformat -Werror=format-security)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	add_compile_options(-ftrivial-auto-var-init=zero -fstack-clash-protection
		-fcf-protection=full)
endif()
if(NOT NFO_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
	-Wl,--as-needed -Wl,-z,nodlopen)
