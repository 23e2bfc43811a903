/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The index of a log; see logidx.h. */
#include "proto/logidx.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	AT_TIME = 0,
	AT_OFFSET = 8,
	AT_LEN = 16,
	AT_STREAM = 20,
	AT_FLAGS = 21,
	AT_ZERO = 22,
	AT_CHECK = 28,
	CHUNK = 256, /* records a read */
};

static void put(unsigned char *p, uint64_t v, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get(const unsigned char *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static uint32_t check(const unsigned char *p)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < AT_CHECK; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

void logidx_encode(const struct logidx_rec *r, unsigned char out[LOGIDX_LEN])
{
	memset(out, 0, LOGIDX_LEN);
	put(out + AT_TIME, (uint64_t)r->time_us, 8);
	put(out + AT_OFFSET, r->offset, 8);
	put(out + AT_LEN, r->len, 4);
	out[AT_STREAM] = r->stream;
	out[AT_FLAGS] = r->flags;
	put(out + AT_CHECK, check(out), 4);
}

int logidx_decode(const unsigned char in[LOGIDX_LEN], struct logidx_rec *ret)
{
	struct logidx_rec r = {
		.time_us = (int64_t)get(in + AT_TIME, 8),
		.offset = get(in + AT_OFFSET, 8),
		.len = (uint32_t)get(in + AT_LEN, 4),
		.stream = in[AT_STREAM],
		.flags = in[AT_FLAGS],
	};

	if (get(in + AT_CHECK, 4) != check(in) ||
	    get(in + AT_ZERO, AT_CHECK - AT_ZERO) || r.stream < LOGIDX_STDOUT ||
	    r.stream > LOGIDX_SYSTEM || r.len > LOGIDX_FRAME_MAX ||
	    (r.flags & ~LOGIDX_CUT) || (!r.len && !(r.flags & LOGIDX_CUT)))
		return -1;
	*ret = r;
	return 0;
}

/* As much of len as there is; a short count means the end of the file. */
static ssize_t read_at(int fd, unsigned char *p, size_t len, off_t at)
{
	size_t n = 0;

	while (n < len) {
		ssize_t r = pread(fd, p + n, len - n, at + (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (!r)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

int logidx_read(int fd, uint64_t seq, uint64_t data_len, struct logidx_rec *ret,
		size_t max, size_t *ret_n, struct err *e)
{
	unsigned char raw[CHUNK * LOGIDX_LEN];
	size_t n = 0;

	if (!seq || seq > INT64_MAX / LOGIDX_LEN)
		return err_set(e, ERR_INVALID, "log.idx: record 0 or too far");
	while (n < max) {
		size_t want = max - n < CHUNK ? max - n : CHUNK;
		ssize_t got = read_at(fd, raw, want * LOGIDX_LEN,
				      (off_t)((seq - 1 + n) * LOGIDX_LEN));

		if (got < 0)
			return err_sys(e, errno, "read log.idx");
		for (size_t i = 0; i < (size_t)got / LOGIDX_LEN; i++) {
			struct logidx_rec *r = &ret[n];

			if (logidx_decode(raw + i * LOGIDX_LEN, r) ||
			    r->offset > data_len ||
			    r->len > data_len - r->offset)
				goto end;
			n++;
		}
		if ((size_t)got < want * LOGIDX_LEN)
			break;
	}
end:
	*ret_n = n;
	return 0;
}
