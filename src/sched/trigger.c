/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A job's schedules; see trigger.h. */
#include "sched/trigger.h"
#include "job/keys.h"

const struct doc_node *trigger_list(const struct doc_node *root)
{
	return doc_get(doc_get(root, "triggers"), "schedule");
}

const struct doc_node *trigger_find(const struct doc_node *root,
				    struct str name)
{
	const struct doc_node *list = trigger_list(root);

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (str_eq(job_text(doc_get(n, "name"), ""), name))
			return n;
	return NULL;
}

static enum schedule_missed missed_of(struct str s)
{
	if (str_is(s, "skip"))
		return MISSED_SKIP;
	return str_is(s, "all") ? MISSED_ALL : MISSED_LATEST;
}

static enum trigger_overlap overlap_of(struct str s)
{
	if (str_is(s, "skip"))
		return OVERLAP_SKIP;
	return str_is(s, "replace") ? OVERLAP_REPLACE : OVERLAP_QUEUE;
}

int trigger_read(const struct doc_node *n, struct trigger *ret, struct err *e)
{
	int field;

	*ret = (struct trigger){
		.name = job_text(doc_get(n, "name"), ""),
		.timezone = job_text(doc_get(n, "timezone"), "UTC"),
		.line = job_text(doc_get(n, "cron"), ""),
		.missed = missed_of(job_text(doc_get(n, "missed"), "latest")),
		.overlap = overlap_of(job_text(doc_get(n, "overlap"), "queue")),
		.jitter_us = (int64_t)job_time(doc_get(n, "jitter"), 0),
		.inputs = doc_get(n, "inputs"),
	};
	if (cron_parse(ret->line, &ret->cron, &field))
		return err_set(e, ERR_INVALID, "the cron line is wrong");
	return tz_load(ret->timezone, &ret->tz, e);
}

void trigger_done(struct trigger *t)
{
	tz_free(t->tz);
	t->tz = NULL;
}

void trigger_check(const struct job *j, struct problems *ps)
{
	const struct doc_node *list = trigger_list(j->doc->root);

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next) {
		struct trigger t;
		int64_t next;
		struct err e;

		for (const struct doc_node *k = list->first; k != n;
		     k = k->next)
			if (str_eq(job_text(doc_get(k, "name"), ""),
				   job_text(doc_get(n, "name"), "")))
				problem_at(ps, doc_get(n, "name"),
					   "duplicate-name", NULL,
					   "two schedules of this name");
		if (trigger_read(n, &t, &e))
			problem_at(ps, doc_get(n, "timezone"), "bad-timezone",
				   "an IANA name such as Europe/Berlin", "%s",
				   e.text);
		else if (calendar_next(&t.cron, t.tz, 1767225600, &next))
			problem_at(ps, doc_get(n, "cron"), "never", NULL,
				   "there is no such day");
		trigger_done(&t);
	}
}
