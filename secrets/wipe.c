/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Wiped memory; see wipe.h. */
#include "secrets/wipe.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In front of each piece; keeps what follows aligned. */
struct head {
	_Alignas(max_align_t) size_t len;
};

static size_t budget_used;

static struct head *head_of(void *p)
{
	return (struct head *)p - 1;
}

void *wipe_alloc(size_t len)
{
	struct head *h =
		len <= SIZE_MAX - sizeof(*h) ? malloc(sizeof(*h) + len) : NULL;

	if (!h)
		return NULL;
	h->len = len;
	return h + 1;
}

void *wipe_calloc(size_t n, size_t size)
{
	size_t len;
	void *p;

	if (__builtin_mul_overflow(n, size, &len))
		return NULL;
	p = wipe_alloc(len);
	if (p)
		memset(p, 0, len);
	return p;
}

void wipe_free(void *p)
{
	struct head *h;

	if (!p)
		return;
	h = head_of(p);
	mem_wipe(p, h->len);
	free(h);
}

size_t wipe_size(void *p)
{
	return p ? head_of(p)->len : 0;
}

void *wipe_realloc(void *p, size_t len)
{
	size_t old = wipe_size(p);
	void *q = wipe_alloc(len);

	if (!q || !p)
		return q;
	memcpy(q, p, old < len ? old : len);
	wipe_free(p);
	return q;
}

char *wipe_strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *p = wipe_alloc(len);

	if (p)
		memcpy(p, s, len);
	return p;
}

void *wipe_budget_alloc(size_t len)
{
	size_t whole = len + sizeof(struct head);
	void *p;

	if (whole < len || whole > WIPE_BUDGET - budget_used)
		return NULL;
	p = wipe_alloc(len);
	if (p)
		budget_used += whole;
	return p;
}

void wipe_budget_free(void *p)
{
	if (!p)
		return;
	budget_used -= head_of(p)->len + sizeof(struct head);
	wipe_free(p);
}
