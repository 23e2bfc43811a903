/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Content codings; see squeeze.h. */
#include "api/squeeze.h"
#include "base/mem.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
	GZIP_LEVEL = 4,
	GZIP_WINDOW = 15 + 16, /* 16: with gzip's own head and tail */
	GZIP_MEMORY = 8,
	ZSTD_LEVEL = 3,
	ZSTD_WINDOW_LOG = 17,
	ROOM = 32768
};

struct squeeze {
	enum coding coding;
	z_stream z;
	ZSTD_CCtx *zstd;
};

static bool begin(struct squeeze *s)
{
	if (s->coding == CODING_GZIP)
		return deflateInit2(&s->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW,
				    GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
	s->zstd = ZSTD_createCCtx();
	return s->zstd &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(
		       s->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog,
						    ZSTD_WINDOW_LOG));
}

struct squeeze *squeeze_new(enum coding coding)
{
	struct squeeze *s = mem_alloc(sizeof(*s));

	s->coding = coding;
	if (begin(s))
		return s;
	squeeze_free(s);
	return NULL;
}

void squeeze_free(struct squeeze *s)
{
	if (!s)
		return;
	if (s->coding == CODING_GZIP)
		(void)deflateEnd(&s->z);
	ZSTD_freeCCtx(s->zstd);
	mem_free(s);
}

static int put_gzip(struct squeeze *s, struct str in, enum squeeze_flush flush,
		    struct buf *out)
{
	static const int how[] = {[SQUEEZE_MORE] = Z_NO_FLUSH,
				  [SQUEEZE_FLUSH] = Z_SYNC_FLUSH,
				  [SQUEEZE_END] = Z_FINISH};

	s->z.next_in = (unsigned char *)(uintptr_t)in.p;
	s->z.avail_in = (unsigned)in.len;
	do {
		char *room = buf_room(out, ROOM);
		int r;

		if (!room)
			return -1;
		s->z.next_out = (unsigned char *)room;
		s->z.avail_out = ROOM;
		r = deflate(&s->z, how[flush]);
		if (r == Z_STREAM_ERROR)
			return -1;
		buf_commit(out, ROOM - s->z.avail_out);
	} while (!s->z.avail_out);
	return 0;
}

static int put_zstd(struct squeeze *s, struct str in, enum squeeze_flush flush,
		    struct buf *out)
{
	static const ZSTD_EndDirective how[] = {[SQUEEZE_MORE] =
							ZSTD_e_continue,
						[SQUEEZE_FLUSH] = ZSTD_e_flush,
						[SQUEEZE_END] = ZSTD_e_end};
	ZSTD_inBuffer from = {in.p, in.len, 0};
	size_t left;

	do {
		char *room = buf_room(out, ROOM);
		ZSTD_outBuffer to = {room, ROOM, 0};

		if (!room)
			return -1;
		left = ZSTD_compressStream2(s->zstd, &to, &from, how[flush]);
		if (ZSTD_isError(left))
			return -1;
		buf_commit(out, to.pos);
	} while (from.pos < from.size || (flush != SQUEEZE_MORE && left));
	return 0;
}

int squeeze_put(struct squeeze *s, struct str in, enum squeeze_flush flush,
		struct buf *out)
{
	return s->coding == CODING_GZIP ? put_gzip(s, in, flush, out) :
					  put_zstd(s, in, flush, out);
}
