/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A heap for SQLite that is overwritten as it is freed.  No plaintext gets
 * there, but names do, and wrapped keys that were destroyed since.
 */
#include <limits.h>
#include <sqlite3.h>

#include "secrets/store.h"
#include "secrets/wipe.h"

static void *heap_alloc(int len)
{
	return len > 0 ? wipe_alloc((size_t)len) : NULL;
}

static int heap_size(void *p)
{
	return (int)wipe_size(p);
}

static void *heap_resize(void *p, int len)
{
	return len > 0 ? wipe_realloc(p, (size_t)len) : NULL;
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
		.xFree = wipe_free,
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
