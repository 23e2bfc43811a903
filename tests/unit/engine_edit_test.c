/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Changes of what is stored beside runs: in the turn's transaction, with their
 * audit row, or not at all. */
#include "engine_helper.h"
#include "store/jobs.h"

static struct store_job a_job(const char *name)
{
	return (struct store_job){.project = STR("default"),
				  .name = str_from(name),
				  .digest = STR("ab"),
				  .syntax = STR("json"),
				  .text = STR("{}"),
				  .canonical = STR("{}"),
				  .put_by = STR("uid:0"),
				  .created_us = 1,
				  .put_us = 2};
}

static const char *edit_name;
static bool edit_refuses;
static int edit_calls;

static int put(void *ctx, struct store *s, struct err *refusal, struct err *e)
{
	struct store_job j = a_job(edit_name);

	(void)ctx;
	edit_calls++;
	if (edit_refuses) {
		err_set(refusal, ERR_STALE, "no");
		return 0;
	}
	return store_job_put(s, &j, e);
}

static int count(void *ctx, const struct store_job *j, struct err *e)
{
	(void)j;
	(void)e;
	++*(int *)ctx;
	return 0;
}

static int jobs(struct world *w)
{
	int n = 0;

	ok(store_read_jobs(w->reader, STR("default"), 0, 100, count, &n, &w->e),
	   &w->e);
	return n;
}

static void world_put(struct world *w, const char *name, bool refuse)
{
	edit_name = name;
	edit_refuses = refuse;
	edit_calls = 0;
	memset(&w->reply, 0, sizeof(w->reply));
	ok(engine_edit(w->g, STR("uid:0"), STR("job.put"), str_from(name), put,
		       on_reply, w, &w->e),
	   &w->e);
	world_wait(w);
}

static void edits(void **state)
{
	struct world *w = *state;

	world_start(w, true);
	world_put(w, "a", false);
	assert_int_equal(w->reply.err.code, ERR_NONE);
	assert_int_equal(jobs(w), 1);
	world_put(w, "b", true);
	assert_int_equal(w->reply.err.code, ERR_STALE);
	assert_int_equal(edit_calls, 1);
	assert_int_equal(jobs(w), 1);
	world_put(w, "b", false);
	assert_int_equal(jobs(w), 2);
	world_stop(w);
}

/* The newest is the job, also when it was there before. */
static void revisions(void **state)
{
	struct world *w = *state;
	int n = 0;

	world_start(w, true);
	world_put(w, "a", false);
	world_put(w, "a", false);
	assert_int_equal(jobs(w), 1);
	ok(store_read_revisions(w->reader, STR("default"), STR("a"), 0, 100,
				count, &n, &w->e),
	   &w->e);
	assert_int_equal(n, 1);
	world_stop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(edits, world_make, world_drop),
		cmocka_unit_test_setup_teardown(revisions, world_make,
						world_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
