/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Runs as they were told last; see viewcache.h. */
#include "api/viewcache.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
	ALL_MAX = 4 << 20,
	ONE_MAX = 64 << 10
};

struct entry {
	size_t len;
	char tag[VIEWCACHE_TAG_MAX];
	char text[];
};

struct viewcache {
	struct map *entries; /* by ULID; NULL: none yet */
	size_t bytes;
	uint64_t version; /* of the store, when they were read */
};

struct viewcache *viewcache_new(void)
{
	return mem_alloc(sizeof(struct viewcache));
}

static void empty(struct viewcache *c)
{
	map_free(c->entries, mem_free);
	c->entries = NULL;
	c->bytes = 0;
}

void viewcache_free(struct viewcache *c)
{
	if (!c)
		return;
	empty(c);
	mem_free(c);
}

bool viewcache_get(struct viewcache *c, uint64_t version,
		   const struct ulid *run, struct buf *b,
		   char tag[VIEWCACHE_TAG_MAX])
{
	const struct entry *x;

	if (version != c->version) {
		empty(c);
		c->version = version;
	}
	x = c->entries ? map_get(c->entries, str_from(run->s)) : NULL;
	if (!x)
		return false;
	memcpy(tag, x->tag, sizeof(x->tag));
	return buf_put(b, x->text, x->len);
}

void viewcache_put(struct viewcache *c, const struct ulid *run, struct str text,
		   const char *tag)
{
	struct entry *x;

	if (text.len > ONE_MAX)
		return;
	if (c->bytes + text.len > ALL_MAX)
		empty(c);
	if (!c->entries)
		c->entries = map_new();
	x = mem_alloc(sizeof(*x) + text.len);
	x->len = text.len;
	(void)snprintf(x->tag, sizeof(x->tag), "%s", tag);
	memcpy(x->text, text.p, text.len);
	mem_free(map_put(c->entries, str_from(run->s), x));
	c->bytes += text.len;
}
