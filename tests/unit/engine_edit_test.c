/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Changes of what is stored beside runs: in the turn's transaction, with their
 * audit row, or not at all. */
#include "engine_helper.h"
#include "store/jobs.h"
#include "store/resources.h"

#include <semaphore.h>

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

/* The same token twice: the second is none that the table takes. */
static int put_twice(void *ctx, struct store *s, struct err *refusal,
		     struct err *e)
{
	struct store_token t = {.ulid = ulid_new(),
				.name = STR("t"),
				.subject = STR("uid:0"),
				.projects = STR("[]"),
				.created_by = STR("uid:0")};

	(void)ctx;
	(void)refusal;
	edit_calls++;
	return store_token_add(s, &t, e) || store_token_add(s, &t, e) ? -1 : 0;
}

static void what_the_tables_do_not_take_ends_nobody(void **state)
{
	struct world *w = *state;

	world_start(w, true);
	edit_calls = 0;
	ok(engine_edit(w->g, STR("uid:0"), STR("x"), STR("y"), put_twice,
		       on_reply, w, &w->e),
	   &w->e);
	world_wait(w);
	assert_int_equal(w->reply.err.code, ERR_INTERNAL);
	assert_null(strstr(w->reply.err.text, "tokens")); /* not our tables */
	assert_int_equal(edit_calls, 1);
	world_put(w, "a", false); /* and it goes on */
	assert_int_equal(w->reply.err.code, ERR_NONE);
	assert_int_equal(jobs(w), 1);
	world_stop(w);
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

/* --- a schedule that is paused while it is due -------------------------- */

static sem_t in_edit, go_on;

static int put_due(void *ctx, struct store *s, struct err *refusal,
		   struct err *e)
{
	struct store_job j = a_job("due");

	(void)ctx;
	(void)refusal;
	j.canonical = STR("{\"name\":\"due\",\"nfo\":1,\"tasks\":{\"a\":"
			  "{\"run\":\"x\"}},\"triggers\":{\"schedule\":["
			  "{\"cron\":\"* * * * *\",\"name\":\"s\"}]}}");
	return store_job_put(s, &j, e);
}

static int hold(void *ctx, struct store *s, struct err *refusal, struct err *e)
{
	(void)ctx;
	(void)s;
	(void)refusal;
	(void)e;
	assert_int_equal(sem_post(&in_edit), 0);
	assert_int_equal(sem_wait(&go_on), 0);
	return 0;
}

static int pause_it(void *ctx, struct store *s, struct err *refusal,
		    struct err *e)
{
	const struct store_schedule x = {.project = STR("default"),
					 .job = STR("due"),
					 .name = STR("s"),
					 .last_s = clock_real_us() / 1000000,
					 .paused = true,
					 .run = STR(""),
					 .error = STR("")};

	(void)ctx;
	(void)refusal;
	return store_schedule_put(s, &x, e);
}

static int see_schedule(void *ctx, const struct store_schedule *x,
			struct err *e)
{
	(void)e;
	*(bool *)ctx = x->paused;
	return 0;
}

static void ask_edit(struct world *w, const char *action, engine_edit_fn *fn)
{
	ok(engine_edit(w->g, STR("uid:0"), str_from(action), STR("due/s"), fn,
		       on_reply, w, &w->e),
	   &w->e);
}

/* Both are one turn of the engine: what was asked for is what is stored. */
static void paused_while_due(void **state)
{
	struct world *w = *state;
	bool paused = false;

	assert_int_equal(sem_init(&in_edit, 0, 0) | sem_init(&go_on, 0, 0), 0);
	world_start(w, false);
	ask_edit(w, "job.put", put_due);
	world_wait(w);
	ask_edit(w, "", hold);
	assert_int_equal(sem_wait(&in_edit), 0);
	ask_edit(w, "schedule.pause", pause_it);
	world_alive_end(w);
	assert_int_equal(sem_post(&go_on), 0);
	while (w->n_replies < 3)
		hear(w, PATIENCE_MS);
	assert_int_equal(store_read_schedule(w->reader, STR("default"),
					     STR("due"), STR("s"), see_schedule,
					     &paused, &w->e),
			 1);
	assert_true(paused);
	sem_destroy(&in_edit);
	sem_destroy(&go_on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(edits, world_make, world_drop),
		cmocka_unit_test_setup_teardown(
			what_the_tables_do_not_take_ends_nobody, world_make,
			world_drop),
		cmocka_unit_test_setup_teardown(revisions, world_make,
						world_drop),
		cmocka_unit_test_setup_teardown(paused_while_due, world_make,
						world_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
