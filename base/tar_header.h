/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One header block of a tar (POSIX.1-1988, ustar).  For tar.c alone. */
#pragma once

#include "base/tar.h"

struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12];
	char chksum[8], typeflag, linkname[100], magic[6], version[2];
	char uname[32], gname[32], devmajor[8], devminor[8], prefix[155];
	char pad[12];
};

_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

/* Text that fills its field or ends with a NUL. */
struct str tar_field(const char *p, size_t len);
/* Octal, or base 256 with the top bit set (GNU); never negative. */
int tar_number(const char *p, size_t len, uint64_t *ret) MUST_USE;
bool tar_checksum_ok(const struct ustar *h);
/* -1 with why it is refused. */
int tar_type_of(char flag, enum tar_type *ret, const char **why) MUST_USE;
