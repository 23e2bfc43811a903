/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files, and archives in them; see look.h. */
#include "runner/look.h"

/* 1032 is the most that deflate makes of a byte; what is over it is an archive
 * of archives that is made to be large. */
static const struct unpack_limits limits = {.max_bytes = (uint64_t)32 << 30,
					    .ratio = 1100};

static int on_unpacked(void *ctx, unsigned level, bool fresh, const void *p,
		       size_t len)
{
	struct look *l = ctx;
	struct redact_watch **w = &l->packed[level - 1];

	if (!*w)
		*w = mask_watch(l->mask);
	else if (fresh)
		redact_watch_skip(*w);
	if (!redact_watch_write(*w, p, len))
		return 0;
	l->secret = mask_caught(l->mask, *w);
	return 1;
}

void look_begin(struct look *l, struct mask *mask)
{
	bool any = mask && redact_set_patterns(mask->set);

	*l = (struct look){.mask = any ? mask : NULL, .secret = -1};
	if (!any)
		return;
	l->raw = mask_watch(mask);
	l->unpack = unpack_new(&limits, on_unpacked, l);
}

void look_done(struct look *l)
{
	if (!l->mask)
		return;
	mask_unwatch(l->mask, l->raw);
	for (unsigned i = 0; i < UNPACK_DEPTH; i++)
		mask_unwatch(l->mask, l->packed[i]);
	unpack_free(l->unpack);
	*l = (struct look){.secret = l->secret};
}

void look_only_raw(struct look *l)
{
	unpack_free(l->unpack);
	l->unpack = NULL;
}

int look_write(struct look *l, const void *p, size_t len, struct err *e)
{
	if (!l->mask || l->secret >= 0)
		return l->mask != NULL;
	if (redact_watch_write(l->raw, p, len)) {
		l->secret = mask_caught(l->mask, l->raw);
		return 1;
	}
	return l->unpack ? unpack_feed(l->unpack, p, len, e) : 0;
}
