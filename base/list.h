/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A doubly linked ring with its links inside the elements. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

#define LIST_INIT(l) ((struct link){&(l), &(l)})
#define LIST_ENTRY(l, type, member)                                            \
	((type *)(void *)((char *)(l)-offsetof(type, member)))
#define LIST_FOR(it, list)                                                     \
	for (struct link *it = (list)->next, *it##_next = it->next;            \
	     it != (list); it = it##_next, it##_next = it->next)

static inline void list_init(struct link *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct link *l)
{
	return l->next == l;
}

static inline void list_push(struct link *list, struct link *l) /* at the end */
{
	l->prev = list->prev;
	l->next = list;
	list->prev->next = l;
	list->prev = l;
}

static inline void list_del(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}
