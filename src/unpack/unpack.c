/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Levels of archives in archives, and what bounds them; see unpack.h. */
#include "unpack/internal.h"

#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define FREE_BYTES ((uint64_t)1 << 20)

struct unpack {
	struct unpack_limits limits;
	unpack_fn *fn;
	void *ctx;
	uint64_t fed, unpacked;
	bool too_much, ended;
	struct level levels[UNPACK_DEPTH];
};

static bool is_gzip(const uint8_t *p, size_t n)
{
	return n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8;
}

static bool is_zip(const uint8_t *p, size_t n)
{
	return n >= 4 && !memcmp(p, "PK\3\4", 4);
}

/* The one whose first bytes are the shortest comes first. */
static const struct {
	enum kind kind;
	size_t least; /* bytes that tell */
	bool (*is)(const uint8_t *p, size_t n);
	int (*feed)(struct level *l, const uint8_t *p, size_t n);
} formats[] = {
	{KIND_GZIP, 3,         is_gzip, gzip_level},
	{KIND_ZIP,  4,         is_zip,  zip_level },
	{KIND_TAR,  SNIFF_MAX, tar_is,  tar_level },
};

bool level_gather(struct level *l, const uint8_t **p, size_t *n, size_t want)
{
	size_t len = want - l->n_head < *n ? want - l->n_head : *n;

	memcpy(l->head + l->n_head, *p, len);
	l->n_head += len;
	*p += len;
	*n -= len;
	return l->n_head == want;
}

int gzip_level(struct level *l, const uint8_t *p, size_t n)
{
	while (n) {
		enum flate_end end;

		if (!l->flate)
			l->flate = flate_new(false);
		end = flate_feed(l->flate, l, &p, &n);
		if (end == FLATE_MORE)
			return 0;
		/* Another may follow: they are one stream. */
		flate_free(l->flate);
		l->flate = NULL;
		if (end == FLATE_STOP)
			return -1;
		if (end == FLATE_BAD) {
			l->kind = KIND_PLAIN;
			return 0;
		}
	}
	return 0;
}

static int feed_known(struct level *l, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].kind == l->kind)
			return formats[i].feed(l, p, n);
	return 0;
}

/* From the gathered head; stays unknown while a format may still come. */
static void sniff(struct level *l)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (l->n_head < formats[i].least)
			return;
		if (formats[i].is(l->head, l->n_head)) {
			l->kind = formats[i].kind;
			return;
		}
	}
	l->kind = KIND_PLAIN;
}

int level_feed(struct level *l, const uint8_t *p, size_t n)
{
	uint8_t head[SNIFF_MAX];
	size_t n_head;

	while (n && l->kind == KIND_UNKNOWN) {
		size_t i = 0;

		while (l->n_head >= formats[i].least)
			i++;
		(void)level_gather(l, &p, &n, formats[i].least);
		sniff(l);
	}
	if (l->kind == KIND_UNKNOWN || l->kind == KIND_PLAIN)
		return 0;
	if (!l->known) { /* what was gathered comes first */
		n_head = l->n_head;
		memcpy(head, l->head, n_head);
		l->n_head = 0;
		l->known = true;
		if (feed_known(l, head, n_head))
			return -1;
	}
	return feed_known(l, p, n);
}

static void reset(struct level *l)
{
	struct unpack *u = l->u;
	unsigned number = l->number;

	flate_free(l->flate);
	mem_wipe(l, sizeof(*l));
	*l = (struct level){.u = u, .number = number, .fresh = true};
}

void member_begin(struct level *l)
{
	l->fresh = true;
	for (unsigned i = l->number + 1; i < UNPACK_DEPTH; i++)
		reset(&l->u->levels[i]);
}

static bool over(const struct unpack *u)
{
	return u->unpacked > u->limits.max_bytes ||
	       (u->unpacked > FREE_BYTES &&
		u->unpacked / u->limits.ratio > u->fed);
}

int member_data(struct level *l, bool packed, const uint8_t *p, size_t n)
{
	struct unpack *u = l->u;
	bool fresh = l->fresh;

	if (packed) {
		l->fresh = false;
		u->unpacked += n;
		u->too_much = over(u);
		if (u->too_much)
			return -1;
		if (u->fn(u->ctx, l->number + 1, fresh, p, n)) {
			u->ended = true;
			return -1;
		}
	}
	return l->number + 1 < UNPACK_DEPTH ?
		       level_feed(&u->levels[l->number + 1], p, n) :
		       0;
}

struct unpack *unpack_new(const struct unpack_limits *limits, unpack_fn *fn,
			  void *ctx)
{
	struct unpack *u = mem_alloc(sizeof(*u));

	u->limits = *limits;
	u->fn = fn;
	u->ctx = ctx;
	for (unsigned i = 0; i < UNPACK_DEPTH; i++)
		u->levels[i] =
			(struct level){.u = u, .number = i, .fresh = true};
	return u;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < UNPACK_DEPTH; i++)
		reset(&u->levels[i]);
	mem_free(u);
}

int unpack_feed(struct unpack *u, const void *p, size_t len, struct err *e)
{
	u->fed += len;
	if (!level_feed(&u->levels[0], p, len))
		return 0;
	if (u->ended)
		return 1;
	return err_set(e, ERR_LIMIT,
		       "what is packed in it is over %" PRIu64
		       " bytes, or over %" PRIu64 " times its size",
		       u->limits.max_bytes, u->limits.ratio);
}
