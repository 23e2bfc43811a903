/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as an archive, whole and in pieces: the same comes out, within the
 * limits. */
#include "base/hash.h"
#include "unpack/unpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MAX_BYTES ((uint64_t)4 << 20)

struct seen {
	uint64_t bytes;
	uint64_t sum[UNPACK_DEPTH]; /* FNV-1a of each level */
	uint64_t members[UNPACK_DEPTH];
};

static int on_bytes(void *ctx, unsigned level, bool fresh, const void *p,
		    size_t len)
{
	struct seen *s = ctx;
	const uint8_t *b = p;

	if (level < 1 || level > UNPACK_DEPTH || !len)
		abort();
	s->bytes += len;
	if (s->bytes > MAX_BYTES)
		abort();
	if (fresh)
		s->members[level - 1]++;
	for (size_t i = 0; i < len; i++)
		s->sum[level - 1] = (s->sum[level - 1] ^ b[i]) * 0x100000001b3u;
	return 0;
}

static int feed(const uint8_t *data, size_t len, size_t step, struct seen *s)
{
	static const struct unpack_limits limits = {MAX_BYTES, 1 << 20};
	struct unpack *u = unpack_new(&limits, on_bytes, s);
	struct err e;
	int bad = 0;

	for (size_t at = 0; !bad && at < len; at += step)
		bad = unpack_feed(u, data + at,
				  len - at < step ? len - at : step, &e);
	unpack_free(u);
	return bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen whole = {0}, pieces = {0};
	size_t step = len ? 1 + data[len - 1] % 7 : 1;
	int a = feed(data, len, len ? len : 1, &whole);
	int b = feed(data, len, step, &pieces);

	if (a != b)
		abort();
	for (unsigned i = 0; !a && i < UNPACK_DEPTH; i++)
		if (whole.sum[i] != pieces.sum[i] ||
		    whole.members[i] != pieces.members[i])
			abort();
	return 0;
}
