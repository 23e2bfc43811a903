/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Tasks that wait for people.  What they are asked is fixed when it is their
 * turn; each answer, and the state that follows from it, are one transaction.
 * Who may answer is decided before it comes here.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	SHOWN_MAX = 64 * 1024 /* as JSON */
};

/* --- what is asked ------------------------------------------------------ */

static int find_shown(const struct run *r, const struct doc_node *show,
		      const struct kept **ret, size_t *ret_n, struct err *e)
{
	size_t n = 0;

	for (const struct doc_node *x = show ? show->first : NULL;
	     x && n < APPROVAL_SHOW_MAX; x = x->next) {
		ret[n] = live_kept(r, x->text);
		if (!ret[n++])
			return err_set(e, ERR_NOT_FOUND,
				       "show: " STR_FMT " was not made",
				       STR_ARG(x->text));
	}
	*ret_n = n;
	return 0;
}

static struct str digest_of(struct run *r, size_t i, struct str message,
			    const struct kept *const *kept, size_t n)
{
	struct job_shown shown[APPROVAL_SHOW_MAX];
	char hex[HASH_HEX_LEN + 1];
	struct hash h;

	for (size_t k = 0; k < n; k++)
		shown[k] = (struct job_shown){kept[k]->name, kept[k]->sha256};
	h = job_approval_digest(r->plan->facts.run_id, r->row.run_digest,
				r->plan->instances[i].name, message, shown, n);
	hash_hex(&h, hex);
	return live_str(r, str_n(hex, HASH_HEX_LEN));
}

static struct str shown_json(struct run *r, const struct kept *const *kept,
			     size_t n)
{
	CLEANUP_BUF struct buf b = BUF_INIT(SHOWN_MAX);

	buf_putc(&b, '[');
	for (size_t k = 0; k < n; k++) {
		buf_puts(&b, k ? ",{\"name\":\"" : "{\"name\":\"");
		buf_json(&b, kept[k]->name);
		buf_puts(&b, "\",\"file\":\"");
		buf_json(&b, kept[k]->file);
		buf_printf(&b, "\",\"size\":%" PRIu64 ",\"sha256\":\"%s\"}",
			   kept[k]->bytes, kept[k]->sha256);
	}
	buf_putc(&b, ']');
	return live_str(r, b.failed ? STR("[]") : buf_view(&b));
}

static struct str names_json(struct run *r, const struct doc_node *from)
{
	CLEANUP_BUF struct buf b = BUF_INIT(SHOWN_MAX);

	buf_putc(&b, '[');
	for (const struct doc_node *n = from ? from->first : NULL; n;
	     n = n->next) {
		buf_puts(&b, n == from->first ? "\"" : ",\"");
		buf_json(&b, n->text);
		buf_putc(&b, '"');
	}
	buf_putc(&b, ']');
	return live_str(r, b.failed ? STR("[]") : buf_view(&b));
}

static int make(struct run *r, size_t i, struct approval *a, struct err *e)
{
	const struct kept *kept[APPROVAL_SHOW_MAX];
	struct job_stand stand = live_stand(r);
	struct job_approval x;
	size_t n = 0;

	if (job_plan_approval(r->plan, i, &stand, r->arena, &x, e))
		return -1;
	if (x.wanted && find_shown(r, x.show, kept, &n, e))
		return -1;
	a->row = (struct store_approval){
		.index = (uint32_t)i,
		.task = r->plan->instances[i].name,
		.state = x.wanted ? APPROVAL_OPEN : APPROVAL_AUTO,
		.message = x.message,
		.count = x.count,
		.submitter_may = x.submitter_may,
		.asked_us = clock_real_us(),
	};
	a->row.digest = digest_of(r, i, x.message, kept, n);
	a->row.shown = shown_json(r, kept, n);
	a->row.named = names_json(r, x.from);
	if (x.wanted && x.expires_us)
		a->row.expires_us = a->row.asked_us + (int64_t)x.expires_us;
	return 0;
}

bool approve_ask(struct run *r, size_t i)
{
	struct approval *a = arena_alloc(r->arena, sizeof(*a));
	struct err e = {0};

	if (!a || make(r, i, a, &e)) {
		live_task_set(r, i, STATE_FAILED, KIND_SETUP,
			      a ? live_str(r, str_from(e.text)) :
				  STR("too large"));
		return false;
	}
	r->inst[i].approval = a;
	if (a->row.state == APPROVAL_AUTO) {
		live_task_set(r, i, STATE_SUCCEEDED, KIND_NONE, STR(""));
	} else {
		live_task_set(r, i, STATE_BLOCKED, KIND_NONE, STR(""));
		r->due_us[i] = a->row.expires_us;
	}
	live_approval(r, i);
	return r->states[i] == STATE_BLOCKED && !r->due_us[i];
}

void approve_expire(struct run *r, size_t i)
{
	struct approval *a = r->inst[i].approval;

	if (a)
		a->row.state = APPROVAL_EXPIRED;
	live_task_set(r, i, STATE_FAILED, KIND_EXPIRED,
		      STR("nobody approved it in time"));
	live_approval(r, i);
}

/* --- what is said ------------------------------------------------------- */

static void said_already(struct command *c, bool approved, bool same)
{
	if (same) {
		c->reply.replayed = true;
		return;
	}
	err_set(&c->reply.err, ERR_CONFLICT, "you have %s it already",
		approved ? "approved" : "rejected");
	c->reply.err.sys = EALREADY;
}

static void decided(struct command *c, const char *how)
{
	err_set(&c->reply.err, ERR_CONFLICT, "it is decided: %s", how);
	c->reply.err.sys = EALREADY;
}

struct earlier {
	struct command *c;
	struct str task;
	uint32_t index;
	bool asked, found;
};

static int see_asked(void *ctx, const struct store_approval *a, struct err *e)
{
	struct earlier *x = ctx;

	(void)e;
	if (str_eq(a->task, x->task)) {
		x->asked = true;
		x->index = a->index;
	}
	return 0;
}

static int see_said(void *ctx, const struct store_decision *d, struct err *e)
{
	struct earlier *x = ctx;

	(void)e;
	if (d->index != x->index || !str_is(d->person, x->c->decision->person))
		return 0;
	x->found = true;
	said_already(x->c, d->approves,
		     d->approves == x->c->decision->approves);
	return 0;
}

/* Of a run that has ended nothing is in memory. */
static void after_the_end(struct engine *g, struct command *c)
{
	struct earlier x = {.c = c, .task = str_from(c->decision->task)};
	enum run_state state;
	int64_t id;

	if (store_run_find(g->store, &c->run, &id, &state, &c->reply.err) ||
	    store_approvals(g->store, &c->run, see_asked, &x, &c->reply.err))
		return;
	if (!x.asked) {
		err_set(&c->reply.err, ERR_NOT_FOUND, "no such approval");
		return;
	}
	if (store_decisions(g->store, id, see_said, &x, &c->reply.err) ||
	    x.found)
		return;
	decided(c, "the run has ended");
}

static const struct store_decision *find_person(const struct approval *a,
						const char *person)
{
	for (uint32_t k = 0; k < a->n_said; k++)
		if (str_is(a->said[k].person, person))
			return &a->said[k];
	return NULL;
}

/* Is what they have seen what would go on?  Artifacts are looked up anew. */
static bool still_the_same(struct run *r, size_t i, const char *seen)
{
	const struct doc_node *show = doc_get(
		doc_get(r->plan->job->tasks[r->plan->instances[i].task].node,
			"approval"),
		"show");
	const struct approval *a = r->inst[i].approval;
	const struct kept *kept[APPROVAL_SHOW_MAX];
	size_t n = 0;
	struct err e;

	return str_is(a->row.digest, seen) &&
	       !find_shown(r, show, kept, &n, &e) &&
	       str_eq(digest_of(r, i, a->row.message, kept, n), a->row.digest);
}

static uint32_t approvals(const struct approval *a)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < a->n_said; k++)
		n += a->said[k].approves;
	return n;
}

static void reject(struct run *r, size_t i, struct str who)
{
	CLEANUP_BUF struct buf why = BUF_INIT(PERSON_MAX + 32);

	buf_printf(&why, "rejected by " STR_FMT, STR_ARG(who));
	r->inst[i].approval->row.state = APPROVAL_REJECTED;
	live_task_set(r, i, STATE_FAILED, KIND_REJECTED,
		      live_str(r, buf_view(&why)));
}

static void take(struct run *r, size_t i, const struct command *c)
{
	const struct decision *d = c->decision;
	struct approval *a = r->inst[i].approval;

	a->said[a->n_said++] = (struct store_decision){
		.index = (uint32_t)i,
		.person = live_str(r, str_from(d->person)),
		.who = live_str(r, str_from(c->who)),
		.approves = d->approves,
		.comment = live_str(r, str_from(d->comment)),
		.ts_us = clock_real_us(),
	};
	if (!d->approves) {
		reject(r, i, str_from(c->who));
	} else if (approvals(a) >= a->row.count) {
		a->row.state = APPROVAL_GRANTED;
		live_task_set(r, i, STATE_SUCCEEDED, KIND_NONE, STR(""));
	}
	live_approval(r, i);
	live_look(r);
}

static void decide(struct run *r, size_t i, struct command *c)
{
	const struct decision *d = c->decision;
	struct approval *a = r->inst[i].approval;
	const struct store_decision *before = find_person(a, d->person);

	if (before) {
		said_already(c, before->approves,
			     before->approves == d->approves &&
				     str_is(a->row.digest, d->digest));
	} else if (r->states[i] != STATE_BLOCKED) {
		decided(c, state_name(r->states[i]));
	} else if (r->row.cancelled || r->row.timed_out) {
		decided(c, "the run is being ended");
	} else if (a->row.expires_us && clock_real_us() >= a->row.expires_us) {
		decided(c, "its time is over");
		live_look(r);
	} else if (!still_the_same(r, i, d->digest)) {
		err_set(&c->reply.err, ERR_CONFLICT,
			"that is not what is asked: look at it again");
		c->reply.err.sys = ESTALE;
	} else {
		take(r, i, c);
		c->to_save = true;
	}
}

void approve_do(struct engine *g, struct command *c)
{
	struct run *r = map_get(g->by_run, str_from(c->run.s));
	int32_t i;

	c->reply.run = c->run;
	if (!r || r->ended) {
		after_the_end(g, c);
		return;
	}
	i = job_plan_find(r->plan, str_from(c->decision->task));
	if (i < 0 || !r->inst[i].approval)
		err_set(&c->reply.err, ERR_NOT_FOUND,
			"no such approval, or it is not its turn yet");
	else
		decide(r, (size_t)i, c);
}

/* --- the store ---------------------------------------------------------- */

int approve_save(struct run *r, size_t i, struct err *e)
{
	struct approval *a = r->inst[i].approval;
	struct store *s = r->g->store;

	if (a->row.state == APPROVAL_OPEN && r->states[i] != STATE_BLOCKED)
		a->row.state = APPROVAL_CANCELLED;
	if (store_approval_put(s, r->row.id, &a->row, e))
		return -1;
	for (uint32_t k = 0; k < a->n_said; k++)
		if (store_decision_put(s, r->row.id, &a->said[k], e))
			return -1;
	return 0;
}

int approve_audit(struct engine *g, const struct command *c, struct err *e)
{
	CLEANUP_BUF struct buf what = BUF_INIT(512);

	buf_printf(&what, "%s %s sha256:%s", c->run.s, c->decision->task,
		   c->decision->digest);
	return store_audit_add(g->store, clock_real_us(), str_from(c->who),
			       c->decision->approves ? STR("approval.approve") :
						       STR("approval.reject"),
			       buf_view(&what), e);
}

static int load_one(void *ctx, const struct store_approval *x, struct err *e)
{
	struct run *r = ctx;
	struct approval *a;

	if (x->index >= r->plan->n ||
	    r->plan->instances[x->index].action != ACTION_APPROVAL)
		return 0;
	a = arena_alloc(r->arena, sizeof(*a));
	if (!a)
		return err_set(e, ERR_LIMIT, "too many approvals");
	a->row = *x;
	a->row.task = r->plan->instances[x->index].name;
	a->row.digest = live_str(r, x->digest);
	a->row.message = live_str(r, x->message);
	a->row.named = live_str(r, x->named);
	a->row.shown = live_str(r, x->shown);
	r->inst[x->index].approval = a;
	return 0;
}

static int load_said(void *ctx, const struct store_decision *d, struct err *e)
{
	struct run *r = ctx;
	struct approval *a;

	(void)e;
	a = d->index < r->plan->n ? r->inst[d->index].approval : NULL;
	if (!a || a->n_said == ARRAY_LEN(a->said))
		return 0;
	a->said[a->n_said] = *d;
	a->said[a->n_said].person = live_str(r, d->person);
	a->said[a->n_said].who = live_str(r, d->who);
	a->said[a->n_said++].comment = live_str(r, d->comment);
	return 0;
}

int approve_load(struct run *r, struct err *e)
{
	return store_approvals(r->g->store, &r->row.ulid, load_one, r, e) ||
	       store_decisions(r->g->store, r->row.id, load_said, r, e);
}
