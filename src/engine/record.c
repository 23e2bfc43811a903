/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The record of a run; see record.h. */
#include "engine/record.h"
#include "base/mem.h"
#include "doc/doc.h"
#include "engine/view.h"

struct record {
	struct buf *b;
	int64_t run;
	enum run_state state;
	const char *sep;
	char **names; /* of tasks, by index */
	size_t n_names;
};

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	struct record *x = ctx;

	(void)e;
	x->run = run->id;
	x->state = run->state;
	return 0;
}

static int see_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct record *x = ctx;

	(void)e;
	x->names = mem_resize(x->names, x->n_names + 1, sizeof(*x->names));
	x->names[x->n_names++] = mem_strndup(t->name.p, t->name.len);
	return 0;
}

static int see_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct record *x = ctx;

	(void)e;
	buf_printf(x->b, "%s{\"task\":\"", x->sep);
	x->sep = ",";
	buf_json(x->b,
		 str_from(a->index < x->n_names ? x->names[a->index] : ""));
	buf_puts(x->b, "\",");
	view_attempt_inside(a, x->b);
	buf_putc(x->b, '}');
	return 0;
}

static int collect(struct record *x, struct store_reader *r,
		   const struct ulid *run, struct err *e)
{
	if (store_read_run(r, run, see_run, x, e))
		return -1;
	if (!state_final(x->state))
		return err_set(e, ERR_CONFLICT,
			       "the run is %s: its record is made when it has "
			       "ended",
			       state_name(x->state));
	buf_puts(x->b, "{\"record\":1,\"run\":");
	if (view_run(r, run, x->b, e) ||
	    store_read_tasks(r, x->run, see_task, x, e))
		return -1;
	buf_puts(x->b, ",\"attempts\":[");
	x->sep = "";
	if (store_read_attempts(r, x->run, see_attempt, x, e))
		return -1;
	return buf_puts(x->b, "]}") ?
		       0 :
		       err_set(e, ERR_LIMIT, "the record is too long");
}

static int canonical(struct str text, struct buf *b, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;
	int bad;

	if (doc_parse_max(text, DOC_JSON, RECORD_MAX, &d, ps))
		return err_set(e, ERR_LIMIT, "the record is too long");
	bad = doc_write_canonical(d->root, b, e);
	doc_free(d);
	return bad;
}

int record_of(struct store_reader *r, const struct ulid *run, struct buf *b,
	      struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(RECORD_MAX);
	struct record x = {.b = &text};
	int bad = collect(&x, r, run, e) || canonical(buf_view(&text), b, e);

	for (size_t i = 0; i < x.n_names; i++)
		mem_free(x.names[i]);
	mem_free(x.names);
	return bad ? -1 : 0;
}
