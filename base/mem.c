/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Memory that aborts when there is none, and arenas; see mem.h. */
#include "base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
	struct chunk *next;
	size_t used, len;
	_Alignas(16) unsigned char data[];
};

struct arena {
	struct chunk *head;
	size_t total, max;
};

enum {
	CHUNK_LEN = 8192
};

static void *need(void *p)
{
	if (!p) {
		fputs("nfo: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *mem_alloc(size_t len)
{
	return need(calloc(1, len ? len : 1));
}

void *mem_array(size_t n, size_t size)
{
	return need(calloc(n ? n : 1, size ? size : 1));
}

void *mem_resize(void *p, size_t n, size_t size)
{
	return need(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *mem_strdup(const char *s)
{
	return need(strdup(s));
}

char *mem_strndup(const char *s, size_t len)
{
	char *p = mem_alloc(len + 1);

	if (len)
		memcpy(p, s, len);
	return p;
}

void mem_free(void *p)
{
	free(p);
}

void mem_wipe(void *p, size_t len)
{
	if (len)
		explicit_bzero(p, len);
}

void mem_cleanup(void *pp)
{
	free(*(void **)pp);
}

struct arena *arena_new(size_t max_bytes)
{
	struct arena *a = mem_alloc(sizeof(*a));

	a->max = max_bytes;
	return a;
}

void arena_wipe(struct arena *a)
{
	for (struct chunk *c = a ? a->head : NULL; c; c = c->next)
		mem_wipe(c->data, c->used);
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->head) {
		struct chunk *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t len)
{
	struct chunk *c = a->head;
	size_t want;

	if (len > a->max)
		return NULL;
	len = (len + 15) & ~(size_t)15;
	if (len > a->max - a->total)
		return NULL;
	if (!c || c->len - c->used < len) {
		want = len > CHUNK_LEN ? len : CHUNK_LEN;
		c = mem_alloc(sizeof(*c) + want);
		c->len = want;
		c->next = a->head;
		a->head = c;
	}
	c->used += len;
	a->total += len;
	return c->data + c->used - len;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

	if (p && len)
		memcpy(p, s, len);
	return p;
}
