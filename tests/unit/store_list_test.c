/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Each combination of filters finds what a loop over all runs finds, through
 * whatever index it walks. */
#include "store_helper.h"

#include <string.h>

enum {
	RUNS = 400,
	LIMIT = 20
};

static struct {
	struct store_run row;
	const char *label; /* of team; "": none */
} all[RUNS];

static const char *const projects[] = {"p", "q", "r"};
static const char *const jobs[] = {"build", "test"};
static const char *const triggers[] = {"api", "schedule", "rerun"};
static const char *const teams[] = {"", "a", "b"};
static const enum run_state states[] = {STATE_SUCCEEDED, STATE_FAILED,
					STATE_CANCELLED, STATE_QUEUED,
					STATE_RUNNING};
static const enum fail_kind kinds[] = {KIND_EXIT, KIND_SIGNAL};

static void make_one(struct dir *d, int i)
{
	unsigned x = (unsigned)i * 2654435761u;
	struct store_run r = a_run("");

	all[i].label = teams[x / 7 % 3];
	r.project = str_from(projects[x / 11 % 3]);
	r.job = str_from(jobs[x / 13 % 2]);
	r.trigger = str_from(triggers[x / 17 % 3]);
	r.state = states[x / 19 % 5];
	r.kind = r.state == STATE_FAILED ? kinds[x / 23 % 2] : KIND_NONE;
	/* two neighbours the wrong way round */
	r.created_us = 1000 + 10 * (i ^ 1);
	r.labels =
		str_from(!all[i].label[0]           ? "{}" :
			 !strcmp(all[i].label, "a") ? "{\"team\":\"a\"}" :
						      "{\"x\":\"y\",\"team\":"
						      "\"b\"}");
	ok(store_run_add(d->store, &r, &r.id, &d->e), &d->e);
	all[i].row = r;
}

static bool fits(const struct store_filter *f, int i)
{
	const struct store_run *r = &all[i].row;

	return (!f->states || f->states >> r->state & 1) &&
	       (!f->kinds || f->kinds >> r->kind & 1) &&
	       (!f->project.len || str_eq(f->project, r->project)) &&
	       (!f->job.len || str_eq(f->job, r->job)) &&
	       (!f->trigger.len || str_eq(f->trigger, r->trigger)) &&
	       (!f->n_labels || str_is(f->labels[0].value, all[i].label)) &&
	       (f->n_labels < 2 || !strcmp(all[i].label, "b")) &&
	       (!f->visible.len || !str_is(r->project, "q")) &&
	       (!f->since_us || r->created_us >= f->since_us) &&
	       (!f->until_us || r->created_us < f->until_us) &&
	       (!f->before || r->id < f->before);
}

struct seen {
	int64_t ids[LIMIT];
	size_t n;
};

static int see(void *ctx, const struct store_run *r, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	assert_true(s->n < LIMIT);
	s->ids[s->n++] = r->id;
	return 0;
}

static void compare(struct store_reader *rd, const struct store_filter *f)
{
	struct seen got = {.n = 0};
	struct err e = {0};
	size_t n = 0;

	if (store_read_runs(rd, f, see, &got, &e))
		fail_msg("%s (states %x kinds %x)", e.text, f->states,
			 f->kinds);
	for (int i = RUNS - 1; i >= 0 && n < LIMIT; i--)
		if (fits(f, i)) {
			assert_true(n < got.n);
			assert_int_equal(got.ids[n++], all[i].row.id);
		}
	assert_int_equal(got.n, n);
}

/* The digits of n choose one of each. */
static struct store_filter filter(unsigned n)
{
	static const uint32_t state_sets[] = {
		0, 1u << STATE_FAILED,
		1u << STATE_FAILED | 1u << STATE_CANCELLED,
		1u << STATE_QUEUED | 1u << STATE_RUNNING,
		1u << STATE_SUCCEEDED | 1u << STATE_FAILED};
	static const uint32_t kind_sets[] = {
		0, 1u << KIND_EXIT, 1u << KIND_EXIT | 1u << KIND_SIGNAL};
	static const char *const some_projects[] = {"", "p", "none"};
	static const char *const some_triggers[] = {"", "api", "rerun"};
	struct store_filter f = {.limit = LIMIT};

	f.states = state_sets[n % 5], n /= 5;
	f.kinds = kind_sets[n % 3], n /= 3;
	f.project = str_from(some_projects[n % 3]), n /= 3;
	f.job = str_from(n % 2 ? "test" : ""), n /= 2;
	f.trigger = str_from(some_triggers[n % 3]), n /= 3;
	f.n_labels = n % 3, n /= 3;
	f.labels[0].key = STR("team");
	f.labels[0].value = str_from(f.n_labels == 2 ? "b" : "a");
	f.labels[1].key = STR("x");
	f.labels[1].value = STR("y");
	f.visible = str_from(n % 2 ? "[\"p\",\"r\"]" : ""), n /= 2;
	f.since_us = n % 2 ? 1500 : 0, n /= 2;
	f.until_us = n % 2 ? 4000 : 0, n /= 2;
	f.before = n % 2 ? all[RUNS / 2].row.id : 0;
	return f;
}

static void fill(struct dir *d)
{
	ok(store_begin(d->store, &d->e), &d->e);
	for (int i = 0; i < RUNS; i++)
		make_one(d, i);
	ok(store_commit(d->store, &d->e), &d->e);
}

static void every_combination(void **state)
{
	struct dir *d = *state;
	struct store_reader *rd;

	fill(d);
	ok(store_reader_open(store_path(d->store), &rd, &d->e), &d->e);
	for (unsigned n = 0; n < 5 * 3 * 3 * 2 * 3 * 3 * 2 * 2 * 2 * 2; n++) {
		struct store_filter f = filter(n);

		compare(rd, &f);
	}
	store_reader_close(rd);
}

static void what_is_deleted_has_no_labels(void **state)
{
	struct dir *d = *state;
	struct store_filter f = {.limit = LIMIT, .n_labels = 1};
	struct seen got = {.n = 0};
	struct store_reader *rd;

	fill(d);
	f.labels[0].key = STR("team");
	f.labels[0].value = STR("b");
	ok(store_reader_open(store_path(d->store), &rd, &d->e), &d->e);
	ok(store_read_runs(rd, &f, see, &got, &d->e), &d->e);
	assert_int_equal(got.n, LIMIT);
	ok(store_begin(d->store, &d->e), &d->e);
	for (int i = 0; i < RUNS; i++)
		ok(store_run_delete(d->store, all[i].row.id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	got.n = 0;
	ok(store_read_runs(rd, &f, see, &got, &d->e), &d->e);
	assert_int_equal(got.n, 0);
	store_reader_close(rd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_combination, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(what_is_deleted_has_no_labels,
						dir_make, dir_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
