/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Guarded pages for plaintext: an unreadable page on both sides, locked when
 * the limit allows it, left out of core dumps, wiped before they go.  What
 * secret.c and the redactor are built on; nobody else needs it.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct guard {
	void *p;     /* len bytes, zeroed; they end at the guard page */
	size_t len;  /* as asked for */
	bool locked; /* mlock(2) worked */
	void *map;
	size_t map_len;
};

enum {
	GUARD_WIPE_ON_FORK = 1 /* a child sees zeros (MADV_WIPEONFORK) */
};

/*
 * Map len bytes, aligned to align (a power of two; the slack before the upper
 * guard page is below it).  *ret is untouched on failure: ERR_LIMIT when the
 * kernel gives no more mappings or memory.
 */
MUST_USE int guard_map(size_t len, size_t align, unsigned flags,
		       struct guard *ret, struct err *e);
/* Wipe and unmap; a zeroed *g is fine, and it is zeroed again after. */
void guard_unmap(struct guard *g);
