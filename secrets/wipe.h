/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Memory for libraries that hold secrets or what opens them (OpenSSL, SQLite,
 * libcurl, jansson): wiped before it is freed or moved.
 * What jansson gets is counted besides, so that no answer can make more of
 * itself than WIPE_BUDGET.
 */
#pragma once

#include <stddef.h>

enum {
	WIPE_BUDGET = 64 << 20 /* bytes of all that wipe_budget_alloc() gave */
};

void *wipe_alloc(size_t len);
void *wipe_calloc(size_t n, size_t size);
void *wipe_realloc(void *p, size_t len);
char *wipe_strdup(const char *s);
void wipe_free(void *p);
size_t wipe_size(void *p); /* as it was asked for; 0 for NULL */

void *wipe_budget_alloc(size_t len); /* NULL when the budget is used up */
void wipe_budget_free(void *p);
