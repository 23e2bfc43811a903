/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Sources in git.  A run whose source is one is made together with another run,
 * which fetches it, in one transaction; it waits at the gate, and the fetch's
 * end and its way on are one transaction again.  So who made it (a client, a
 * schedule, a hook) makes no difference, and neither does a restart in between.
 *
 * What comes out of the fetch is content like any other artifact; from then on
 * the run's row is what keeps it, and a rerun uses the same.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "job/git.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOG_TAIL = 4096,
	REASON_MAX = 500
};

/* --- the orders --------------------------------------------------------- */

/* Problems of the job that fetches are those of the source that wants it. */
static void pass_on(const struct problems *from, const struct doc_node *at,
		    struct problems *to)
{
	for (size_t i = 0; i < from->n; i++)
		problem_at(to, at, from->items[i].code, from->items[i].hint,
			   "%s", from->items[i].message);
}

static int order_fetch(const struct policy_set *policies,
		       const struct engine_ask *ask, struct engine_order *o,
		       const struct job_git *git, struct problems *ps,
		       struct err *e)
{
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	CLEANUP_MEM struct problems *mine = mem_alloc(sizeof(*mine));
	char labels[ULID_LEN + 32];
	struct engine_ask fetch = {.project = ask->project,
				   .submitter = ask->submitter,
				   .trigger = STR(GIT_TRIGGER),
				   .priority = o->row.priority};
	/* a part of what has led to the run */
	struct engine_caller root = {.run = STR(""), .task = STR("")};
	struct job *job;

	(void)snprintf(labels, sizeof(labels), "{\"run\":\"run_%s\"}",
		       o->ulid.s);
	fetch.labels = str_from(labels);
	if (job_git_fetch(o->plan, git, &canonical, &job, e))
		return -1;
	fetch.canonical = buf_view(&canonical);
	root.root = o->row.root;
	fetch.caller = &root;
	if (!engine_order_new(policies, &fetch, job, &o->fetch, mine, e))
		return 0;
	pass_on(mine, doc_get(o->plan->job->doc->root, "source"), ps);
	return -1;
}

int gitsource_order(const struct policy_set *policies,
		    const struct engine_ask *ask, struct engine_order *o,
		    struct problems *ps, struct err *e)
{
	struct job_git git;

	if (job_git_read(o->plan, &git, ps))
		return err_set(e, ERR_INVALID, "the source's ref is none");
	o->row.git_url = git.url;
	o->row.git_ref = git.ref;
	if (ask->source_bytes)
		return 0; /* again, with what was fetched then */
	if (order_fetch(policies, ask, o, &git, ps, e))
		return -1;
	o->row.fetch = str_from(o->fetch->ulid.s);
	o->row.fetch.p =
		arena_strndup(o->plan->arena, o->row.fetch.p, o->row.fetch.len);
	return o->row.fetch.p ? 0 : err_set(e, ERR_LIMIT, "too large");
}

void gitsource_digest_text(const struct store_run *row, struct buf *b)
{
	if (row->commit.len)
		buf_printf(b, "git:" STR_FMT ":", STR_ARG(row->commit));
	buf_str(b, row->source);
}

/* --- who fetches, who waits --------------------------------------------- */

bool gitsource_is_fetch(const struct run *r)
{
	return str_is(r->row.trigger, GIT_TRIGGER);
}

static bool pending(const struct run *r)
{
	return r->row.git_url.len && !r->row.commit.len && !r->ended;
}

static void nobody(void *ctx, const struct engine_reply *r)
{
	(void)ctx;
	(void)r;
}

void gitsource_begin(struct engine *g, struct engine_order *o)
{
	struct command *c = command_new(COMMAND_RUN, STR(""), nobody, NULL);

	c->order = o->fetch;
	o->fetch = NULL;
	command_do(g, c);
}

/* Nothing of it has begun: it ends as a whole, `finally` too. */
static void end(struct run *r, enum run_state s, enum fail_kind kind,
		struct str why)
{
	for (size_t i = 0; i < r->plan->n; i++)
		if (!state_final(r->states[i]))
			live_task_set(r, i,
				      s == STATE_CANCELLED ? s : STATE_SKIPPED,
				      KIND_NONE, STR(""));
	r->row.kind = kind;
	r->row.error = live_str(r, why);
	r->row.blocked = STR("");
	r->row.finished_us = clock_real_us();
	r->ended = true;
	live_run_set(r, s);
	call_ended(r);
}

static void unresolved(struct run *r, struct str why)
{
	CLEANUP_BUF struct buf b = BUF_INIT(REASON_MAX + 200);

	buf_puts(&b, "the source could not be fetched: ");
	buf_str(&b, str_n(why.p, why.len < REASON_MAX ? why.len : REASON_MAX));
	buf_printf(&b, " (log: run_" STR_FMT ")", STR_ARG(r->row.fetch));
	end(r, STATE_FAILED, KIND_SETUP, buf_view(&b));
}

struct str gitsource_waits(struct run *r)
{
	const struct run *f;

	if (!pending(r))
		return STR("");
	f = map_get(r->g->by_run, r->row.fetch);
	if (r->row.cancelled) {
		gitsource_cancel(r); /* whoever did it */
		end(r, STATE_CANCELLED, KIND_NONE, STR(""));
	} else if (!f) {
		unresolved(r, STR("the run that does it is gone"));
	}
	if (r->ended)
		return STR("");
	return f->row.state == STATE_BLOCKED ? f->row.blocked : STR("source");
}

void gitsource_cancel(struct run *r)
{
	struct run *f = pending(r) ? map_get(r->g->by_run, r->row.fetch) : NULL;

	if (!f || f->ended || f->row.cancelled)
		return;
	f->row.cancelled = true;
	f->row_dirty = true;
	live_put(f);
	live_look(f);
}

/* --- it has ended ------------------------------------------------------- */

/* What git has said last, from the log, where no secret is: the line that says
 * "fatal", else the last one. */
static struct str last_words(struct run *f, char tail[LOG_TAIL])
{
	struct str rest, found = {"", 0};
	CLEANUP_FD int fd = -1;
	bool fatal = false;
	struct stat st;
	struct err e;
	ssize_t n;

	if (paths_open(f->g->o.state_fd, &f->row.ulid, 0,
		       f->plan->instances[0].name, f->inst[0].attempt,
		       "log.data", &fd, &e) ||
	    fstat(fd, &st))
		return found;
	n = pread(fd, tail, LOG_TAIL,
		  st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0);
	for (rest = str_n(tail, n > 0 ? (size_t)n : 0); rest.len;) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		bool is_fatal = str_starts(line, STR("fatal: "));

		if (!line.len || !str_utf8_valid(line) || (fatal && !is_fatal))
			continue;
		fatal = is_fatal;
		found = is_fatal ? str_from_at(line, 7) : line;
	}
	return found;
}

static const struct kept *find_tar(const struct run *f)
{
	for (size_t i = 0; i < f->n_kept; i++)
		if (str_is(f->kept[i].name, GIT_ARTIFACT))
			return &f->kept[i];
	return NULL;
}

static struct str find_commit(const struct run *f)
{
	for (size_t i = 0; i < f->inst[0].n_outputs; i++)
		if (str_is(f->inst[0].outputs[i].name, "commit"))
			return f->inst[0].outputs[i].value;
	return STR("");
}

/* The run goes on with what was fetched; false when that cannot be. */
static bool take(struct run *r, const struct kept *tar, struct str commit)
{
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	CLEANUP_BUF struct buf source = BUF_INIT(256);
	char hex[HASH_HEX_LEN + 1];
	struct hash digest;
	struct err e;

	if (job_canonical(r->plan->job, &canonical, &e))
		return false;
	r->row.source = live_str(r, str_from(tar->sha256));
	r->row.source_bytes = tar->bytes;
	r->row.commit = live_str(r, commit);
	r->plan->facts.commit = r->row.commit;
	gitsource_digest_text(&r->row, &source);
	digest = job_run_digest(r->plan, buf_view(&canonical),
				buf_view(&source), &r->g->policy_digest);
	hash_hex(&digest, hex);
	r->row.run_digest = live_str(r, str_n(hex, HASH_HEX_LEN));
	r->source_dirty = true;
	live_put(r);
	live_look(r);
	return true;
}

static void settle(struct run *r, struct run *f)
{
	const struct kept *tar = find_tar(f);
	struct str commit = find_commit(f), why = f->row.error;
	char tail[LOG_TAIL];

	if (f->row.state == STATE_SUCCEEDED && tar && commit.len &&
	    take(r, tar, commit))
		return;
	if (f->row.kind == KIND_EXIT) {
		struct str words = last_words(f, tail);

		why = words.len ? words : why;
	} else if (f->row.state == STATE_CANCELLED) {
		why = STR("the fetch was cancelled");
	}
	unresolved(r, why.len ? why : STR("it left nothing"));
}

void gitsource_ended(struct run *fetch)
{
	struct str ulid = str_from(fetch->row.ulid.s);

	LIST_FOR(l, &fetch->g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		if (pending(r) && str_eq(r->row.fetch, ulid))
			settle(r, fetch);
	}
}
