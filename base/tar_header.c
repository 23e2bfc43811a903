/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading a tar header; see tar_header.h. */
#include "base/tar_header.h"

#include <string.h>

struct str tar_field(const char *p, size_t len)
{
	return str_n(p, strnlen(p, len));
}

int tar_number(const char *p, size_t len, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if ((unsigned char)p[0] == 0x80) {
		for (i = 1; i < len; i++) {
			if (v >> 55)
				return -1;
			v = v << 8 | (unsigned char)p[i];
		}
		*ret = v;
		return 0;
	}
	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	if (i < len && p[i] && p[i] != ' ')
		return -1;
	*ret = v;
	return 0;
}

bool tar_checksum_ok(const struct ustar *h)
{
	const unsigned char *p = (const void *)h;
	uint64_t want, sum = 8 * ' '; /* the field itself counts as blanks */

	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (i < offsetof(struct ustar, chksum) ||
		    i >= offsetof(struct ustar, typeflag))
			sum += p[i];
	return !tar_number(h->chksum, sizeof(h->chksum), &want) && want == sum;
}

int tar_type_of(char flag, enum tar_type *ret, const char **why)
{
	switch (flag) {
	case '0':
	case '\0':
	case '7':
		*ret = TAR_FILE;
		return 0;
	case '5':
		*ret = TAR_DIR;
		return 0;
	case '2':
		*ret = TAR_SYMLINK;
		return 0;
	case '1':
		*why = "a hard link (make the archive with "
		       "--hard-dereference)";
		return -1;
	case '3':
	case '4':
		*why = "a device";
		return -1;
	case '6':
		*why = "a FIFO";
		return -1;
	default:
		*why = "of a type that a source tree cannot have";
		return -1;
	}
}
