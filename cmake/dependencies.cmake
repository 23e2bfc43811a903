# SPDX-License-Identifier: AGPL-3.0-or-later
# Every third-party library, named once.  All are packages of Debian 12 (see
# cmake/debian-packages); each has one home folder (see ARCHITECTURE.md).
find_package(PkgConfig REQUIRED)
function(nfo_dependency name module)
	pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
endfunction()
nfo_dependency(MHD libmicrohttpd)
nfo_dependency(SQLITE sqlite3)
nfo_dependency(CURL libcurl)
nfo_dependency(JANSSON jansson)
nfo_dependency(YAML yaml-0.1)
nfo_dependency(SECCOMP libseccomp)
nfo_dependency(CRYPTO libcrypto)
nfo_dependency(ZLIB zlib)
nfo_dependency(ZSTD libzstd)
if(NFO_TESTS)
	nfo_dependency(CMOCKA cmocka)
endif()
