/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inflate, with memory that is wiped; zlib's only place here. */
#include "unpack/internal.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
	OUT = 32 << 10
};

struct flate {
	z_stream z;
	uint8_t out[OUT];
};

struct block {
	size_t len;
	max_align_t data[];
};

static void *take(void *ctx, unsigned n, unsigned size)
{
	size_t len = (size_t)n * size;
	struct block *b = mem_alloc(sizeof(*b) + len);

	(void)ctx;
	b->len = len;
	return b->data;
}

static void give(void *ctx, void *p)
{
	struct block *b =
		(struct block *)((char *)p - offsetof(struct block, data));

	(void)ctx;
	mem_wipe(b->data, b->len);
	mem_free(b);
}

struct flate *flate_new(bool raw)
{
	struct flate *f = mem_alloc(sizeof(*f));

	f->z = (z_stream){.zalloc = take, .zfree = give};
	if (inflateInit2(&f->z, raw ? -MAX_WBITS : MAX_WBITS + 16) != Z_OK)
		assert(!"zlib is there, and so is memory");
	return f;
}

void flate_free(struct flate *f)
{
	if (!f)
		return;
	inflateEnd(&f->z);
	mem_wipe(f->out, sizeof(f->out));
	mem_free(f);
}

enum flate_end flate_feed(struct flate *f, struct level *l, const uint8_t **p,
			  size_t *n)
{
	enum flate_end end = FLATE_MORE;
	int r = Z_OK;

	do {
		unsigned in = *n > 1 << 30 ? 1 << 30 : (unsigned)*n;
		size_t got;

		f->z.next_in = *p;
		f->z.avail_in = in;
		f->z.next_out = f->out;
		f->z.avail_out = OUT;
		r = inflate(&f->z, Z_NO_FLUSH);
		got = OUT - f->z.avail_out;
		*p += in - f->z.avail_in;
		*n -= in - f->z.avail_in;
		if (got && member_data(l, true, f->out, got))
			return FLATE_STOP;
		if (r == Z_STREAM_END)
			end = FLATE_DONE;
		else if (r != Z_OK && r != Z_BUF_ERROR)
			end = FLATE_BAD;
	} while (end == FLATE_MORE && (*n || !f->z.avail_out));
	return end;
}
