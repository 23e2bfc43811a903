/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A heap for SQLite that is overwritten as it is freed.  No plaintext gets
 * there, but names do, and wrapped keys that were destroyed since.
 */
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "secrets/store.h"

/* Before each block: its size, and as much alignment as malloc gives. */
union before {
	size_t len;
	max_align_t align;
};

static void *heap_alloc(int len)
{
	union before *b;

	if (len <= 0)
		return NULL;
	b = malloc(sizeof(*b) + (size_t)len);
	if (!b)
		return NULL;
	b->len = (size_t)len;
	return b + 1;
}

static void heap_free(void *p)
{
	union before *b = p;

	if (!p)
		return;
	b--;
	mem_wipe(p, b->len);
	free(b);
}

static int heap_size(void *p)
{
	return p ? (int)((union before *)p - 1)->len : 0;
}

static void *heap_resize(void *p, int len)
{
	int old = heap_size(p);
	void *q = heap_alloc(len);

	if (!q)
		return NULL;
	if (p)
		memcpy(q, p, (size_t)(old < len ? old : len));
	heap_free(p);
	return q;
}

static int heap_round(int len)
{
	return len > INT_MAX - 15 ? len : (len + 15) & ~15;
}

static int heap_start(void *unused)
{
	(void)unused;
	return SQLITE_OK;
}

static void heap_stop(void *unused)
{
	(void)unused;
}

int secret_store_heap_init(struct err *e)
{
	static const sqlite3_mem_methods methods = {
		.xMalloc = heap_alloc,
		.xFree = heap_free,
		.xRealloc = heap_resize,
		.xSize = heap_size,
		.xRoundup = heap_round,
		.xInit = heap_start,
		.xShutdown = heap_stop,
	};

	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
		return err_set(e, ERR_CONFLICT,
			       "SQLite is in use already: its heap cannot be "
			       "changed");
	return 0;
}
