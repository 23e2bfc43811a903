/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tar writer: ustar, with a pax record for what does not fit; see tar.h. */
#include "base/tar.h"

#include <stdio.h>
#include <string.h>

static bool block(struct buf *b, struct str name, struct str link, char type,
		  uint32_t mode, uint64_t size)
{
	char h[TAR_BLOCK] = {0};
	unsigned sum = 0;

	memcpy(h, name.p, name.len < 100 ? name.len : 100);
	(void)snprintf(h + 100, 8, "%07o", mode & 0777);
	(void)snprintf(h + 108, 8, "%07o", 0U);
	(void)snprintf(h + 116, 8, "%07o", 0U);
	if (size >> 33) { /* 11 octal digits hold 33 bits: base 256 then */
		h[124] = (char)0x80;
		for (int i = 0; i < 8; i++)
			h[128 + i] = (char)(size >> (56 - 8 * i));
	} else {
		(void)snprintf(h + 124, 12, "%011llo",
			       (unsigned long long)size);
	}
	(void)snprintf(h + 136, 12, "%011o", 0U);
	memset(h + 148, ' ', 8);
	h[156] = type;
	if (link.len)
		memcpy(h + 157, link.p, link.len < 100 ? link.len : 100);
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum);
	return buf_put(b, h, TAR_BLOCK);
}

/* "LEN KEY=VALUE\n", where LEN counts itself. */
static void pax_record(struct buf *b, const char *key, struct str value)
{
	size_t body = 1 + strlen(key) + 1 + value.len + 1;
	size_t digits = 1, total = body + 1;

	for (size_t ten = 10; total >= ten; ten *= 10) {
		digits++;
		total = body + digits;
	}
	buf_printf(b, "%zu %s=", total, key);
	buf_str(b, value);
	buf_putc(b, '\n');
}

bool tar_header(struct buf *b, const struct tar_entry *t)
{
	static const char flags[] = {'0', '5', '2'};
	CLEANUP_BUF struct buf pax = BUF_INIT(4 * TAR_PATH_MAX);

	if (t->path.len > 100)
		pax_record(&pax, "path", t->path);
	if (t->link.len > 100)
		pax_record(&pax, "linkpath", t->link);
	if (pax.len) {
		block(b, STR("pax"), str_n(NULL, 0), 'x', 0644, pax.len);
		buf_str(b, buf_view(&pax));
		tar_pad(b, pax.len);
	}
	return block(b, t->path, t->link, flags[t->type], t->mode,
		     t->type == TAR_FILE ? t->size : 0);
}

bool tar_pad(struct buf *b, uint64_t size)
{
	static const char zero[TAR_BLOCK];

	return buf_put(b, zero, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

bool tar_end(struct buf *b)
{
	static const char zero[2 * TAR_BLOCK];

	return buf_put(b, zero, sizeof(zero));
}
