/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Memory for everything but secrets.  Out of memory aborts: the monitor
 * restarts the role.  Sizes that came from outside are bounded by the caller
 * before they get here.
 */
#pragma once

#include "base/attr.h"
#include <stddef.h>

void *mem_alloc(size_t len) MUST_USE;            /* zeroed */
void *mem_array(size_t n, size_t size) MUST_USE; /* zeroed, checked product */
void *mem_resize(void *p, size_t n, size_t size) MUST_USE; /* new part as is */
char *mem_strdup(const char *s) MUST_USE;
char *mem_strndup(const char *s, size_t len) MUST_USE; /* adds the NUL */
void mem_free(void *p);

/* Overwrite, in a way the compiler keeps. */
void mem_wipe(void *p, size_t len);

/* For CLEANUP(): frees what the pointer variable points at. */
void mem_cleanup(void *pp);
#define CLEANUP_MEM CLEANUP(mem_cleanup)

/*
 * An arena: many small allocations with one end.  What the parsers make lives
 * in one, so that a tree is freed by one call and is bounded by one number.
 */
struct arena;
struct arena *arena_new(size_t max_bytes) MUST_USE;
void arena_free(struct arena *a);
/* Overwrite all that is in it; it is then to be freed. */
void arena_wipe(struct arena *a);
/* Zeroed and aligned for anything; NULL once max_bytes would be passed. */
void *arena_alloc(struct arena *a, size_t len) MUST_USE;
char *arena_strndup(struct arena *a, const char *s, size_t len) MUST_USE;
