/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * zip as it comes: from local header to local header.  What deflate packs ends
 * by itself; of the lengths in a header only that of a stored member counts,
 * and where there is none the next header is looked for.
 */
#include "unpack/internal.h"

#include <string.h>

enum {
	HEADER = 30,
	FLAG_CIPHER = 1,
	FLAG_LATER = 8, /* the lengths come behind the data */
	STORED = 0,
	DEFLATED = 8
};
#define LENGTH_IN_EXTRA 0xffffffffu

static uint32_t le16(const uint8_t *p)
{
	return (uint32_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static void take_header(struct level *l)
{
	const uint8_t *h = l->head;
	uint32_t flags = le16(h + 6), method = le16(h + 8),
		 packed = le32(h + 18);

	l->left = le16(h + 26) + le16(h + 28);
	l->n_head = 0;
	l->pad = 0;
	l->stored = true;
	if (flags & FLAG_CIPHER)
		return; /* the next one is looked for */
	l->stored = method != DEFLATED;
	if (method == STORED && !(flags & FLAG_LATER) &&
	    packed != LENGTH_IN_EXTRA)
		l->pad = packed;
}

/* The end of the header: what follows? */
static void begin(struct level *l)
{
	member_begin(l);
	if (!l->stored) {
		l->flate = flate_new(true);
		l->zip = ZIP_DEFLATED;
		return;
	}
	l->left = l->pad;
	l->zip = l->left ? ZIP_STORED : ZIP_SEEK;
}

/* Up to "PK\3\4", which may come in pieces. */
static void seek(struct level *l, const uint8_t **p, size_t *n)
{
	static const uint8_t mark[] = {'P', 'K', 3, 4};

	while (*n) {
		uint8_t c = *(*p)++;

		(*n)--;
		if (c != mark[l->n_head])
			l->n_head = c == mark[0] ? 1 : 0;
		else
			l->n_head++;
		if (l->n_head == sizeof(mark)) {
			memcpy(l->head, mark, sizeof(mark));
			l->zip = ZIP_HEADER;
			return;
		}
	}
}

static size_t skip(struct level *l, const uint8_t **p, size_t *n)
{
	size_t len = l->left < *n ? (size_t)l->left : *n;

	*p += len;
	*n -= len;
	l->left -= len;
	return len;
}

static int stored(struct level *l, const uint8_t **p, size_t *n)
{
	const uint8_t *from = *p;
	size_t len = skip(l, p, n);

	if (!l->left)
		l->zip = ZIP_SEEK;
	return member_data(l, false, from, len);
}

static int deflated(struct level *l, const uint8_t **p, size_t *n)
{
	enum flate_end end = flate_feed(l->flate, l, p, n);

	if (end == FLATE_MORE)
		return 0;
	flate_free(l->flate);
	l->flate = NULL;
	l->zip = ZIP_SEEK;
	return end == FLATE_STOP ? -1 : 0;
}

int zip_level(struct level *l, const uint8_t *p, size_t n)
{
	while (n) {
		switch (l->zip) {
		case ZIP_SEEK:
			seek(l, &p, &n);
			break;
		case ZIP_HEADER:
			if (!level_gather(l, &p, &n, HEADER))
				break;
			take_header(l);
			l->zip = ZIP_NAME;
			if (!l->left)
				begin(l);
			break;
		case ZIP_NAME:
			(void)skip(l, &p, &n);
			if (!l->left)
				begin(l);
			break;
		case ZIP_STORED:
			if (stored(l, &p, &n))
				return -1;
			break;
		case ZIP_DEFLATED:
			if (deflated(l, &p, &n))
				return -1;
			break;
		}
	}
	return 0;
}
