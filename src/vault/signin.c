/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One login: files, perhaps a wrapping, the request, its answer. */
#include "vault/signin.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vault/internal.h"

struct signin {
	struct place *p;
	struct signin_memory *memory;
	signin_fn *fn;
	void *ctx;
	struct secret *files[N_CREDENTIALS];
	struct secret *identity;
	struct file_ask *reading; /* of files, one after the other */
	enum credential which;
	struct call *call;
	bool wrapped; /* files[SECRET_ID] is a wrapping token */
	struct life_news news;
	struct loop_timer *soon;
	struct err why; /* for soon */
};

static void ask(struct signin *s);
static void next_file(struct signin *s);

/* --- the end ------------------------------------------------------------- */

static void signin_free(struct signin *s)
{
	for (size_t i = 0; i < N_CREDENTIALS; i++)
		secret_free(s->files[i]);
	secret_free(s->identity);
	loop_timer_free(s->soon);
	mem_free(s);
}

void signin_cancel(struct signin *s)
{
	if (!s)
		return;
	file_cancel(s->reading);
	call_cancel(s->call);
	signin_free(s);
}

static void succeed(struct signin *s, struct secret *token)
{
	s->fn(s->ctx, token, &s->news, NULL);
	signin_free(s);
}

static void fail(struct signin *s, const struct err *why)
{
	s->fn(s->ctx, NULL, NULL, why);
	signin_free(s);
}

/* Before anything was asked. */
static void fail_here(struct signin *s, const struct err *why)
{
	struct err e = *why;

	err_wrap(&e, "%s: login", s->p->p->name);
	fail(s, &e);
}

static void on_soon(void *ctx)
{
	struct signin *s = ctx;

	if (s->why.code)
		fail_here(s, &s->why);
	else
		next_file(s);
}

void signin_forget(struct signin_memory *m)
{
	secret_free(m->secret_id);
	*m = (struct signin_memory){.opened = false};
}

/* --- requests ------------------------------------------------------------ */

/* In the state in which an answer is waited for. */
static void send(struct signin *s, const char *method, const char *path,
		 struct str body, enum retry_kind kind,
		 const struct secret *token, call_fn *fn)
{
	struct call_request r = {.method = method,
				 .path = path,
				 .token = token,
				 .body = body,
				 .kind = kind};

	r.masks[0] = s->files[CREDENTIAL_SECRET_ID];
	r.masks[1] = s->files[CREDENTIAL_JWT];
	r.masks[2] = s->identity;
	r.masks[3] =
		s->wrapped ? s->memory->secret_id : s->files[CREDENTIAL_TOKEN];
	s->news.asked_us = clock_mono_us();
	s->call = call_start(s->p, &r, fn, s);
}

/* What it was about, before what was said of it.  A refusal that is for now is
 * as if there had been no answer. */
static void fail_call(struct signin *s, const struct err *why, const char *what)
{
	struct err e = *why;

	if (e.code == ERR_LIMIT)
		e.code = ERR_UNAVAILABLE;
	err_wrap(&e, "%s", what);
	fail(s, &e);
}

/* It answers, so that waiting for it is of no use. */
static void fail_odd(struct signin *s, struct err *e)
{
	if (e->code == ERR_UNAVAILABLE)
		e->code = ERR_INTERNAL;
	fail_here(s, e);
}

static void on_login(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct secret *token = NULL;
	struct signin *s = ctx;
	struct err e;

	if (why) {
		fail_call(
			s, why,
			!a && call_was_sent(s->call) ?
				"login (it was perhaps heard: a secret id that "
				"is good for once is then used up)" :
				"login");
		return;
	}
	if (login_read(a, &s->news, &token, &e))
		fail_odd(s, &e);
	else
		succeed(s, token);
}

static void login(struct signin *s)
{
	const struct provider *p = s->p->p;
	struct login_material m = {.identity = s->identity};
	struct login_request r;
	struct err e;

	for (size_t i = 0; i < N_CREDENTIALS; i++)
		m.files[i] = s->files[i];
	if (s->wrapped)
		m.files[CREDENTIAL_SECRET_ID] = s->memory->secret_id;
	if (login_methods[p->auth].make(p, &m, &r, &e)) {
		fail_here(s, &e);
		return;
	}
	send(s, "POST", buf_cstr(&r.path), buf_view(&r.body), r.kind, NULL,
	     on_login);
	login_request_done(&r);
}

/* --- a token that was given ---------------------------------------------- */

static void on_lookup(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct signin *s = ctx;
	struct secret *token;
	struct err e;

	if (why) {
		fail_call(s, why, "the token of token_file");
		return;
	}
	if (login_read_lookup(a, &s->news, &e)) {
		fail_odd(s, &e);
		return;
	}
	token = s->files[CREDENTIAL_TOKEN];
	s->files[CREDENTIAL_TOKEN] = NULL;
	succeed(s, token);
}

static void lookup(struct signin *s)
{
	const struct secret *token = s->files[CREDENTIAL_TOKEN];
	struct err e;

	if (login_check_word(token, "token", &e))
		fail_here(s, &e);
	else
		send(s, "GET", "v1/auth/token/lookup-self",
		     (struct str){NULL, 0}, RETRY_READ, token, on_lookup);
}

/* --- wrappings ----------------------------------------------------------- */

static struct hash hash_of(const struct secret *s)
{
	struct secret_view v = secret_bytes(s);

	return hash_sha256(v.bytes, v.n_bytes);
}

static void on_unwrap(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct signin *s = ctx;
	struct err e;

	if (why) {
		e = *why;
		/* it was perhaps opened: asking again is of no use */
		if (!a && call_was_sent(s->call))
			e.code = ERR_INVALID;
		fail_call(s, &e,
			  "unwrapping the secret id (a wrapping token is "
			  "good for once: put a new one)");
		return;
	}
	if (login_unwrap_read(a, &s->memory->secret_id, &e))
		fail_odd(s, &e);
	else
		login(s);
}

static void on_wrap_lookup(void *ctx, struct vault_answer *a,
			   const struct err *why)
{
	struct signin *s = ctx;
	struct secret *w = s->files[CREDENTIAL_SECRET_ID];
	struct err e;

	if (why) {
		fail_call(s, why,
			  "the wrapping token of secret_id_file (was it used, "
			  "or is it old?)");
		return;
	}
	if (login_wrap_check(s->p->p, a, &e)) {
		fail_odd(s, &e);
		return;
	}
	signin_forget(s->memory);
	s->memory->wrapping = hash_of(w);
	s->memory->opened = true;
	send(s, "POST", "v1/sys/wrapping/unwrap", (struct str){NULL, 0},
	     RETRY_MAKES, w, on_unwrap);
}

/* The secret id of a wrapping that was opened is used again. */
static void unwrap(struct signin *s)
{
	struct secret *w = s->files[CREDENTIAL_SECRET_ID];
	CLEANUP_BUF struct buf b = BUF_INIT(256 * 1024);
	struct hash h;
	struct err e;

	if (login_wrap_lookup(w, &b, &e)) {
		fail_here(s, &e);
		return;
	}
	h = hash_of(w);
	s->wrapped = true;
	if (!s->memory->opened || !hash_eq(&h, &s->memory->wrapping)) {
		send(s, "POST", "v1/sys/wrapping/lookup", buf_view(&b),
		     RETRY_READ, NULL, on_wrap_lookup);
	} else if (s->memory->secret_id) {
		login(s);
	} else {
		err_set(&e, ERR_DENIED,
			"the wrapping token of secret_id_file was used "
			"already: put a new one");
		fail_here(s, &e);
	}
	mem_wipe(b.data, b.cap);
}

/* --- what it is made of -------------------------------------------------- */

static void ask(struct signin *s)
{
	const struct provider *p = s->p->p;

	if (!login_methods[p->auth].make)
		lookup(s);
	else if (p->secret_id_wrapped && s->files[CREDENTIAL_SECRET_ID])
		unwrap(s);
	else
		login(s);
}

static void on_file(void *ctx, struct secret *content, const struct err *why)
{
	struct signin *s = ctx;

	s->reading = NULL;
	if (why) {
		fail_here(s, why);
		return;
	}
	s->files[s->which] = content;
	s->which++;
	next_file(s);
}

/* The next one that is wanted and not there; when there is none, go on. */
static void next_file(struct signin *s)
{
	const struct provider *p = s->p->p;
	const struct login_method *m = &login_methods[p->auth];
	uint32_t want = m->needs | (m->may & p->files);

	while (s->which < N_CREDENTIALS && !(want & 1u << s->which))
		s->which++;
	if (s->which == N_CREDENTIALS)
		ask(s);
	else
		s->reading = file_ask(s->p, s->which, on_file, s);
}

struct signin *signin_start(struct place *p, const struct grant *who,
			    struct signin_memory *memory, signin_fn *fn,
			    void *ctx)
{
	struct signin *s = mem_alloc(sizeof(*s));
	struct vault *v = p->v;

	*s = (struct signin){.p = p, .memory = memory, .fn = fn, .ctx = ctx};
	s->soon = loop_timer_new(v->loop, on_soon, s);
	if (login_methods[p->p->auth].identity &&
	    (!who || v->host->identity(v->ctx, who, p->p->audience,
				       &s->identity, &s->why))) {
		if (!who)
			err_set(&s->why, ERR_INVALID,
				"auth: identity is a login of each attempt's");
		else if (!s->why.code)
			s->why.code = ERR_INTERNAL;
	}
	loop_timer_set(s->soon, clock_mono_us());
	return s;
}
