/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Secrets of helper programs.  We may start nothing: the monitor runs them in a
 * sandbox, and what they write comes through pipes that we have made.  The
 * value is standard output, and counts only after an exit with 0; standard
 * error is for people, without the value in it.
 */
#include "role/keeper.h"

#include "base/fd.h"
#include "base/mem.h"
#include "secrets/redact.h"
#include "vault/answer.h"
#include "vault/object.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	VALUE_MAX = 64 * 1024,
	OUT_MAX = VALUE_MAX + 1, /* a line end does not count */
	SAID_MAX = 4096,         /* of standard error; the rest is dropped */
	AT_ONCE = 8,             /* the others wait */
	READS_MAX = 16,          /* of a turn: it may write without end */
};

enum {
	OUT,
	ERR,
	N_STREAMS
};

struct helper_call {
	struct link link;
	struct keeper *k;
	uint32_t tag;
	struct secret_ref ref;
	keeper_helper_fn *fn; /* NULL: nobody waits any more */
	void *ctx;
	bool running, ended, too_large;
	struct helper_end end;
	struct secret *out; /* room for OUT_MAX + 1 */
	size_t out_len;
	char said[SAID_MAX];
	size_t said_len;
	int fds[N_STREAMS]; /* read ends; -1: at its end */
	struct loop_watch *watches[N_STREAMS];
	struct stream {
		struct helper_call *c;
		int which;
	} streams[N_STREAMS];
	struct loop_timer *later; /* tells, or starts: outside of callbacks */
};

static void on_later(void *ctx);

/* --- what is said to it ------------------------------------------------- */

/* {"ref", "name", "params": {}, "field"}: nothing of it is secret. */
static int question(const struct secret_ref *ref, int *ret, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(16384);
	CLEANUP_BUF struct buf text = BUF_INIT(SECRET_REF_TEXT_MAX);

	if (secret_ref_format(ref, &text, e))
		return -1;
	buf_puts(&b, "{\"ref\":\"");
	buf_json(&b, buf_view(&text));
	buf_puts(&b, "\",\"name\":\"");
	buf_json(&b, str_from(ref->path));
	buf_puts(&b, "\",\"params\":{");
	for (size_t i = 0; i < ref->n_params; i++) {
		buf_puts(&b, i ? ",\"" : "\"");
		buf_json(&b, str_from(ref->params[i].name));
		buf_puts(&b, "\":\"");
		buf_json(&b, str_from(ref->params[i].value));
		buf_putc(&b, '"');
	}
	buf_puts(&b, "},\"field\":\"");
	buf_json(&b, str_from(ref->field));
	buf_puts(&b, "\"}\n");
	if (b.failed)
		return err_set(e, ERR_INTERNAL, "too much to ask");
	*ret = fd_memfd_sealed("helper", buf_view(&b), e);
	return *ret < 0 ? -1 : 0;
}

/* --- what comes out ----------------------------------------------------- */

static void close_stream(struct helper_call *c, int which)
{
	loop_watch_free(c->watches[which]);
	c->watches[which] = NULL;
	fd_close(&c->fds[which]);
}

static ssize_t read_some(struct helper_call *c, int which)
{
	static char dropped[4096];
	size_t left = OUT_MAX + 1 - c->out_len;
	ssize_t n;

	if (which == OUT) {
		n = fd_read(c->fds[OUT], secret_room(c->out) + c->out_len,
			    left);
		if (n > 0)
			c->out_len += (size_t)n;
		/* The rest of it finds nobody that reads. */
		c->too_large |= c->out_len > OUT_MAX;
		return c->too_large ? 0 : n;
	}
	left = SAID_MAX - c->said_len;
	n = left ? fd_read(c->fds[ERR], c->said + c->said_len, left) :
		   fd_read(c->fds[ERR], dropped, sizeof(dropped));
	if (n > 0 && left)
		c->said_len += (size_t)n;
	return n;
}

/* When it has ended, and all that it wrote has come. */
static void settle(struct helper_call *c)
{
	if (c->ended && c->fds[OUT] < 0 && c->fds[ERR] < 0)
		loop_timer_set(c->later, 0);
}

static void on_output(void *ctx, int fd, uint32_t events)
{
	struct stream *s = ctx;
	ssize_t n = 1;

	(void)fd;
	(void)events;
	for (int i = 0; i < READS_MAX && n > 0; i++)
		n = read_some(s->c, s->which);
	if (!n || (n < 0 && errno != EAGAIN)) {
		close_stream(s->c, s->which);
		settle(s->c);
	}
}

/* --- its answer --------------------------------------------------------- */

/* The last line of standard error, without what it wrote to the other. */
static void say_why(struct helper_call *c, char out[ANSWER_TEXT_MAX + 1])
{
	CLEANUP_BUF struct buf clean = BUF_INIT(64 * 1024);
	struct redact_secret value = {c->ref.path, c->out};
	struct str said = str_trim(str_n(c->said, c->said_len)), line;
	const char *nl = said.len ? memrchr(said.p, '\n', said.len) : NULL;
	struct redact_set *set;
	struct err e;

	out[0] = '\0';
	line = nl ? str_from_at(said, (size_t)(nl - said.p) + 1) : said;
	/* What is too short to be looked for may be anywhere. */
	if (!line.len || (c->out_len && c->out_len < 4))
		return;
	secret_shrink(c->out, c->out_len);
	if (redact_set_new(&value, c->out_len ? 1 : 0, NULL, 0, &set, &e))
		return;
	if (redact_buf(set, line.p, line.len, true, &clean) >= 0)
		answer_clean(buf_view(&clean), NULL, out);
	redact_set_free(set);
}

static bool ends_a_line(const struct helper_call *c)
{
	return c->out_len && secret_bytes(c->out).bytes[c->out_len - 1] == '\n';
}

static int ended_well(struct helper_call *c, struct err *e)
{
	const struct helper_end *end = &c->end;
	int status = (int)end->status;
	char why[ANSWER_TEXT_MAX + 1];

	if (end->code)
		return err_set(e, (enum err_code)end->code, "%s", end->text);
	if (end->timed_out)
		return err_set(e, ERR_UNAVAILABLE, "it took too long");
	if (c->too_large || (c->out_len == OUT_MAX && !ends_a_line(c)))
		return err_set(e, ERR_LIMIT, "its value is over 64 KiB");
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return c->out_len ?
			       0 :
			       err_set(e, ERR_NOT_FOUND, "it gave no value");
	say_why(c, why);
	if (WIFEXITED(status))
		return err_set(e, ERR_NOT_FOUND, "exit code %d%s%s",
			       WEXITSTATUS(status), why[0] ? ": " : "", why);
	return err_set(e, ERR_UNAVAILABLE, "ended by signal %d%s%s",
		       WTERMSIG(status), why[0] ? ": " : "", why);
}

static int one_field(struct secret *packed, const char *name,
		     struct secret **ret, struct err *e)
{
	struct field fields[FIELDS_MAX];
	size_t n;

	if (fields_parse(secret_bytes(packed), fields, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (str_is(fields[i].name, name))
			return secret_new(fields[i].value.bytes,
					  fields[i].value.n_bytes, 0, ret, e);
	return err_set(e, ERR_NOT_FOUND, "it has no field \"%s\"", name);
}

/* Its value, without the line end that programs put behind it. */
static int value_of(struct helper_call *c, struct secret **ret,
		    enum secret_form *form, struct err *e)
{
	CLEANUP_SECRET struct secret *packed = NULL;
	int is;

	secret_shrink(c->out, c->out_len - ends_a_line(c));
	is = object_fields(secret_bytes(c->out), &packed, e);
	if (is < 0)
		return -1;
	*form = is && !c->ref.field[0] ? SECRET_FIELDS : SECRET_VALUE;
	if (is && c->ref.field[0])
		return one_field(packed, c->ref.field, ret, e);
	if (c->ref.field[0])
		return err_set(e, ERR_NOT_FOUND,
			       "it gave no JSON object, so "
			       "there are no fields");
	*ret = is ? packed : c->out;
	if (is)
		packed = NULL;
	else
		c->out = NULL;
	return 0;
}

static void tell(struct helper_call *c)
{
	CLEANUP_SECRET struct secret *value = NULL;
	enum secret_form form = SECRET_VALUE;
	struct err e = {.code = ERR_NONE};
	keeper_helper_fn *fn = c->fn;

	c->fn = NULL;
	if (!fn)
		return;
	if (ended_well(c, &e) || value_of(c, &value, &form, &e)) {
		(void)!err_wrap(&e, "helper \"%s\"", c->ref.path);
		fn(c->ctx, form, NULL, &e);
	} else {
		fn(c->ctx, form, value, NULL);
	}
}

/* --- its life ----------------------------------------------------------- */

static void drop(struct helper_call *c)
{
	for (int i = 0; i < N_STREAMS; i++)
		close_stream(c, i);
	loop_timer_free(c->later);
	secret_free(c->out);
	list_del(&c->link);
	mem_wipe(c, sizeof(*c));
	mem_free(c);
}

static size_t n_running(const struct keeper *k)
{
	size_t n = 0;

	LIST_FOR(l, &k->helpers)
	n += LIST_ENTRY(l, struct helper_call, link)->running;
	return n;
}

static int open_streams(struct helper_call *c, int theirs[N_STREAMS],
			struct err *e)
{
	for (int i = 0; i < N_STREAMS; i++) {
		int p[2];

		if (pipe2(p, O_CLOEXEC))
			return err_sys(e, errno, "pipe");
		c->fds[i] = p[0];
		theirs[i] = p[1];
		c->streams[i] = (struct stream){c, i};
		if (fd_set_nonblock(p[0], true) ||
		    loop_add_fd(c->k->loop, p[0], EPOLLIN, on_output,
				&c->streams[i], &c->watches[i], e))
			return err_set(e, ERR_INTERNAL, "a pipe of ours");
	}
	return 0;
}

static int start(struct helper_call *c, struct err *e)
{
	struct wire_writer w = {.len = 0};
	int fds[1 + N_STREAMS] = {-1, -1, -1};
	int bad = secret_new(NULL, OUT_MAX + 1, 0, &c->out, e) ||
		  question(&c->ref, &fds[0], e) || open_streams(c, fds + 1, e);

	if (!bad) {
		wire_u32(&w, c->tag);
		wire_str(&w, str_from(c->ref.path));
		bad = chan_post(c->k->monitor, MSG_HELPER, &w, fds,
				ARRAY_LEN(fds), e);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fd_close(&fds[i]);
	c->running = !bad;
	return bad ? -1 : 0;
}

static void start_next(struct keeper *k)
{
	LIST_FOR(l, &k->helpers)
	{
		struct helper_call *c = LIST_ENTRY(l, struct helper_call, link);

		if (c->running || c->ended)
			continue;
		if (n_running(k) < AT_ONCE)
			loop_timer_set(c->later, 0);
		return;
	}
}

/* It is its turn, or it is at its end. */
static void on_later(void *ctx)
{
	struct helper_call *c = ctx;
	struct keeper *k = c->k;
	struct err e;

	if (!c->running && !c->ended && c->fn) {
		if (n_running(k) >= AT_ONCE || !start(c, &e)) {
			start_next(k);
			return;
		}
		c->end.code = (uint8_t)e.code;
		(void)snprintf(c->end.text, sizeof(c->end.text), "%s", e.text);
	}
	tell(c);
	drop(c);
	start_next(k);
}

struct helper_call *keeper_helper_run(struct keeper *k,
				      const struct secret_ref *ref,
				      keeper_helper_fn *fn, void *ctx)
{
	struct helper_call *c = mem_alloc(sizeof(*c));

	*c = (struct helper_call){
		.k = k,
		.tag = ++k->helper_tag,
		.ref = *ref,
		.fn = fn,
		.ctx = ctx,
		.fds = {-1, -1}
        };
	c->later = loop_timer_new(k->loop, on_later, c);
	list_push(&k->helpers, &c->link);
	loop_timer_set(c->later, 0);
	return c;
}

/* What it writes from now on finds nobody that reads, and it ends; its answer
 * is waited for, so that not more than AT_ONCE run. */
void keeper_helper_forget(struct helper_call *c)
{
	if (!c)
		return;
	c->fn = NULL;
	for (int i = 0; i < N_STREAMS; i++)
		close_stream(c, i);
	if (!c->running || c->ended)
		loop_timer_set(c->later, 0);
}

int keeper_on_helper(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint32_t tag = wire_get_u32(&r);
	struct helper_end end;

	if (helper_end_decode(&r, &end) || !wire_end(&r) || msg->n_fds)
		return -1;
	LIST_FOR(l, &k->helpers)
	{
		struct helper_call *c = LIST_ENTRY(l, struct helper_call, link);

		if (c->tag != tag || !c->running)
			continue;
		c->running = false;
		c->ended = true;
		c->end = end;
		settle(c);
	}
	return 0; /* or of a keeper that was */
}

void keeper_helpers_end(struct keeper *k)
{
	LIST_FOR(l, &k->helpers)
	drop(LIST_ENTRY(l, struct helper_call, link));
}
