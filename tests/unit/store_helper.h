/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A store in a directory of its own, for the tests of it. */
#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct dir {
	char path[256];
	struct store *store;
	struct err e;
};

static inline void ok(int r, const struct err *e)
{
	if (r)
		print_error("%s\n", e->text);
	assert_int_equal(r, 0);
}

static inline int dir_make(void **state)
{
	struct dir *d = mem_alloc(sizeof(*d));

	(void)snprintf(d->path, sizeof(d->path), "/tmp/nfo-store.XXXXXX");
	assert_non_null(mkdtemp(d->path));
	ok(store_open(d->path, &d->store, &d->e), &d->e);
	*state = d;
	return 0;
}

static inline int dir_drop(void **state)
{
	struct dir *d = *state;

	store_close(d->store);
	ok(fd_remove_tree(-100 /* AT_FDCWD */, d->path, &d->e), &d->e);
	mem_free(d);
	*state = NULL;
	return 0;
}

static inline struct store_run a_run(const char *job)
{
	return (struct store_run){.ulid = ulid_new(),
				  .project = STR("web"),
				  .job = str_from(job),
				  .inputs = STR("{\"a\":\"\\u00e4\"}"),
				  .labels = STR("{}"),
				  .trigger = STR("api"),
				  .submitter = STR("uid:0"),
				  .priority = 50,
				  .created_us = clock_real_us(),
				  .canonical = STR("{}")};
}
