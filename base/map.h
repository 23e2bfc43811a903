/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A hash map from byte strings to pointers.  Keys are copied; values are the
 * caller's.  The hash is seeded (no flooding by chosen keys). */
#pragma once

#include "base/str.h"
#include <stdbool.h>

struct map;
struct map *map_new(void);
void map_free(struct map *m, void (*free_value)(void *)); /* may be NULL */
void *map_get(const struct map *m, struct str key);       /* NULL when absent */
void *map_put(struct map *m, struct str key, void *value); /* old value */
void *map_del(struct map *m, struct str key);              /* old value */
size_t map_len(const struct map *m);
/* Iterate: *at starts at 0; false at the end.  Deleting the entry just seen
 * is allowed, adding is not. */
bool map_next(const struct map *m, size_t *at, struct str *ret_key,
	      void **ret_value);
