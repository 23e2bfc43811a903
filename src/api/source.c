/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Decompressing, checking and storing a source tar; see source.h. */
#include "api/source.h"
#include "base/mem.h"
#include "base/tar.h"
#include "engine/blob.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
	BLOCK = 65536,
	MAGIC = 4,
	ZSTD_WINDOW_LOG_MAX = 27
};

enum packing {
	PACKING_UNKNOWN,
	PACKING_NONE,
	PACKING_GZIP,
	PACKING_ZSTD
};

struct source {
	struct blob_writer *blob;
	struct tar_reader *tar;
	enum packing packing;
	unsigned char magic[MAGIC];
	size_t n_magic;
	z_stream gzip;
	bool gzip_on, gzip_end;
	ZSTD_DStream *zstd;
	size_t zstd_left; /* what it still wants; 0: a frame ended */
	uint64_t max_plain, plain;
	unsigned char out[BLOCK];
};

int source_begin(int state_fd, uint64_t max_files, uint64_t max_bytes,
		 struct source **ret, struct err *e)
{
	const struct tar_limits limits = {max_files, max_bytes};
	static const struct tar_ops ops; /* the reader's own checks do */
	struct source *s = mem_alloc(sizeof(*s));

	/* Headers and padding on top of the content. */
	s->max_plain = max_bytes + max_files * 2048;
	if (blob_begin(state_fd, s->max_plain, &s->blob, e)) {
		mem_free(s);
		return -1;
	}
	s->tar = tar_reader_new(&limits, &ops, NULL);
	*ret = s;
	return 0;
}

static int plain(struct source *s, const void *p, size_t len, struct err *e)
{
	s->plain += len;
	if (s->plain > s->max_plain)
		return err_set(e, ERR_LIMIT,
			       "the source unpacks to over %llu bytes",
			       (unsigned long long)s->max_plain);
	if (tar_feed(s->tar, p, len, e))
		return -1;
	return blob_write(s->blob, p, len, e);
}

static int gunzip(struct source *s, const void *p, size_t len, struct err *e)
{
	s->gzip.next_in = (unsigned char *)(uintptr_t)p;
	s->gzip.avail_in = (unsigned)len;
	while (s->gzip.avail_in && !s->gzip_end) {
		int r;

		s->gzip.next_out = s->out;
		s->gzip.avail_out = BLOCK;
		r = inflate(&s->gzip, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return err_set(e, ERR_INVALID, "damaged gzip data");
		s->gzip_end = r == Z_STREAM_END;
		if (plain(s, s->out, BLOCK - s->gzip.avail_out, e))
			return -1;
	}
	return 0;
}

static int unzstd(struct source *s, const void *p, size_t len, struct err *e)
{
	ZSTD_inBuffer in = {p, len, 0};

	while (in.pos < in.size) {
		ZSTD_outBuffer out = {s->out, BLOCK, 0};

		s->zstd_left = ZSTD_decompressStream(s->zstd, &out, &in);
		if (ZSTD_isError(s->zstd_left))
			return err_set(e, ERR_INVALID, "damaged zstd data");
		if (plain(s, s->out, out.pos, e))
			return -1;
	}
	return 0;
}

static int choose(struct source *s, struct err *e)
{
	static const unsigned char gz[] = {0x1f, 0x8b};
	static const unsigned char zst[] = {0x28, 0xb5, 0x2f, 0xfd};

	s->packing = PACKING_NONE;
	if (!memcmp(s->magic, gz, sizeof(gz))) {
		s->packing = PACKING_GZIP;
		if (inflateInit2(&s->gzip, 15 + 16) != Z_OK)
			return err_set(e, ERR_INTERNAL, "zlib");
		s->gzip_on = true;
	} else if (!memcmp(s->magic, zst, sizeof(zst))) {
		s->packing = PACKING_ZSTD;
		s->zstd = ZSTD_createDStream();
		if (!s->zstd ||
		    ZSTD_isError(ZSTD_DCtx_setParameter(
			    s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
			return err_set(e, ERR_INTERNAL, "zstd");
		s->zstd_left = 1;
	}
	return 0;
}

static int unpack(struct source *s, const void *p, size_t len, struct err *e)
{
	switch (s->packing) {
	case PACKING_GZIP:
		return gunzip(s, p, len, e);
	case PACKING_ZSTD:
		return unzstd(s, p, len, e);
	case PACKING_NONE:
	case PACKING_UNKNOWN:
		break;
	}
	return plain(s, p, len, e);
}

int source_feed(struct source *s, const void *data, size_t len, struct err *e)
{
	const unsigned char *p = data;

	if (s->packing == PACKING_UNKNOWN) {
		while (len && s->n_magic < MAGIC) {
			s->magic[s->n_magic++] = *p++;
			len--;
		}
		if (s->n_magic < MAGIC)
			return 0;
		if (choose(s, e) || unpack(s, s->magic, MAGIC, e))
			return -1;
	}
	return len ? unpack(s, p, len, e) : 0;
}

int source_end(struct source *s, struct hash *ret, uint64_t *ret_bytes,
	       struct err *e)
{
	int bad = tar_finish(s->tar, e);

	if (!bad && s->packing == PACKING_GZIP && !s->gzip_end)
		bad = err_set(e, ERR_INVALID, "gzip data that is cut off");
	if (!bad && s->packing == PACKING_ZSTD && s->zstd_left)
		bad = err_set(e, ERR_INVALID, "zstd data that is cut off");
	if (!bad) {
		struct blob_writer *blob = s->blob;

		s->blob = NULL;
		bad = blob_end(blob, ret, ret_bytes, e);
	}
	source_abort(s);
	return bad;
}

void source_abort(struct source *s)
{
	if (!s)
		return;
	blob_abort(s->blob);
	tar_reader_free(s->tar);
	if (s->gzip_on)
		inflateEnd(&s->gzip);
	ZSTD_freeDStream(s->zstd);
	mem_free(s);
}
