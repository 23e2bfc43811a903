/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One path of a KV engine, asked once for all who want it at one time under one
 * login: a login, what kind of mount it is, the value.  An attempt that asks
 * for several fields of it one after another gets them from one answer.
 */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vault/kv.h"
#include "vault/token.h"

#include <stdio.h>
#include <string.h>

#define LINGER_US      (INT64_C(2) * 1000000)
#define MOUNT_KNOWN_US (INT64_C(600) * 1000000)

struct kv_get {
	struct link link;
	struct place *p;
	char path[SECRET_REF_PATH_MAX + 1];
	uint64_t version;
	/* With a login for each attempt: whose this is.  Borrowed while somebody
	 * waits; all who do are of it. */
	const struct grant *who;
	struct ulid attempt; /* its id */
	struct link waits;
	struct loop_timer *timer; /* the next step; done: to be forgotten */
	struct token_wait *token_wait;
	struct token *token;
	struct call *call;
	struct place_mount mount;
	bool again;            /* with a new login: once is enough */
	bool ending;           /* all are being told */
	struct secret *fields; /* not NULL: done */
	int64_t until_us;      /* done: it is kept so long, for these */
	struct ulid *attempts;
	size_t n_attempts;
};

struct kv_wait {
	struct link link;
	struct kv_get *g;
	struct ulid attempt;
	kv_fn *fn;
	void *ctx;
};

static void go_on(struct kv_get *g);

/* --- the end ------------------------------------------------------------ */

static void stop(struct kv_get *g)
{
	token_wait_cancel(g->token_wait);
	g->token_wait = NULL;
	call_cancel(g->call);
	g->call = NULL;
	if (g->token)
		token_put(g->token);
	g->token = NULL;
}

static void get_free(struct kv_get *g)
{
	struct place *p = g->p;

	stop(g);
	if (p->asks_mount == g)
		p->asks_mount = NULL;
	loop_timer_free(g->timer);
	list_del(&g->link);
	secret_free(g->fields);
	mem_free(g->attempts);
	mem_free(g);
}

static void remember(struct kv_get *g, const struct ulid *attempt)
{
	g->attempts = mem_resize(g->attempts, g->n_attempts + 1,
				 sizeof(*g->attempts));
	g->attempts[g->n_attempts++] = *attempt;
}

static void tell(struct kv_get *g, const struct err *why)
{
	g->ending = true;
	while (!list_empty(&g->waits)) {
		struct kv_wait *w =
			LIST_ENTRY(g->waits.next, struct kv_wait, link);

		list_del(&w->link);
		remember(g, &w->attempt);
		w->fn(w->ctx, g->fields, why);
		mem_free(w);
	}
	g->ending = false;
}

static void fail(struct kv_get *g, const struct err *why)
{
	struct err e = *why;

	list_del(&g->link); /* nobody more */
	stop(g);
	tell(g, &e);
	get_free(g);
}

static void succeed(struct kv_get *g, struct secret *fields)
{
	g->fields = fields;
	g->until_us = clock_mono_us() + LINGER_US;
	stop(g);
	tell(g, NULL);
	loop_timer_set(g->timer, g->until_us);
}

/* --- refused ------------------------------------------------------------ */

/* With a new login, once. */
static bool try_again(struct kv_get *g, const struct vault_answer *a)
{
	if (!a || a->status != 403 || g->again || !token_refused(g->token))
		return false;
	g->again = true;
	stop(g);
	go_on(g);
	return true;
}

/* --- the value ---------------------------------------------------------- */

static void on_value(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct kv_get *g = ctx;
	struct secret *fields;
	struct err e;

	g->call = NULL;
	if (try_again(g, a))
		return;
	if (why && (!a || a->status != 404)) {
		fail(g, why);
		return;
	}
	if (kv_fields(a, g->mount.version, g->path, &fields, &e)) {
		err_wrap(&e, "%s", g->p->p->name);
		fail(g, &e);
		return;
	}
	succeed(g, fields);
}

static void ask_value(struct kv_get *g)
{
	CLEANUP_BUF struct buf path = BUF_INIT(4096);
	struct str mount = str_from(g->mount.mount);
	struct str rest = str_from_at(str_from(g->path), mount.len + 1);
	struct call_request r = {.method = "GET", .kind = RETRY_READ};
	struct err e;

	if (!g->mount.version) {
		err_set(&e, ERR_INVALID,
			"%s: \"%s\" is no KV engine: give a `kind`",
			g->p->p->name, g->mount.mount);
		fail(g, &e);
		return;
	}
	if (kv_path(mount, g->mount.version, rest, g->version, &path, &e)) {
		fail(g, &e);
		return;
	}
	r.path = buf_cstr(&path);
	r.token = token_secret(g->token);
	g->call = call_start(g->p, &r, on_value, g);
}

/* --- the mount ---------------------------------------------------------- */

static bool covers(const char *mount, const char *path)
{
	size_t len = strlen(mount);

	return !strncmp(mount, path, len) && path[len] == '/';
}

static bool known(struct kv_get *g)
{
	const struct provider_mount *m =
		provider_mount_of(g->p->p, str_from(g->path));
	int64_t now = clock_mono_us();

	if (m) {
		(void)snprintf(g->mount.mount, sizeof(g->mount.mount), "%s",
			       m->mount);
		g->mount.version = m->version;
		return true;
	}
	for (size_t i = 0; i < PLACE_MOUNTS_MAX; i++)
		if (g->p->mounts[i].until_us > now &&
		    covers(g->p->mounts[i].mount, g->path)) {
			g->mount = g->p->mounts[i];
			return true;
		}
	return false;
}

static void learn(struct place *p, const struct place_mount *m)
{
	p->mounts[p->next_mount] = *m;
	p->mounts[p->next_mount].until_us = clock_mono_us() + MOUNT_KNOWN_US;
	p->next_mount = (p->next_mount + 1) % PLACE_MOUNTS_MAX;
}

/* Those who waited for the answer about a mount look again. */
static void wake_others(struct place *p)
{
	p->asks_mount = NULL;
	LIST_FOR(l, &p->gets)
	{
		struct kv_get *g = LIST_ENTRY(l, struct kv_get, link);

		if (!g->fields && g->token && !g->call)
			loop_timer_set(g->timer, clock_mono_us());
	}
}

/* A server that has no such path is one of before version 2 (as OpenBao's
 * command/kv_helpers.go has it). */
static int read_mount(struct kv_get *g, const struct vault_answer *a,
		      struct err *e)
{
	struct str first = str_from(g->path);

	if (a->status != 404)
		return kv_mount_read(a, str_from(g->path), g->mount.mount,
				     &g->mount.version, e);
	first = str_cut(&first, '/');
	(void)snprintf(g->mount.mount, sizeof(g->mount.mount), STR_FMT,
		       STR_ARG(first));
	g->mount.version = 1;
	return 0;
}

static void on_mount(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct kv_get *g = ctx;
	struct err e;

	g->call = NULL;
	wake_others(g->p);
	if (try_again(g, a))
		return;
	if (why && (!a || a->status != 404)) {
		e = *why;
		err_wrap(&e, "%s: which KV engine", g->path);
		fail(g, &e);
		return;
	}
	if (read_mount(g, a, &e)) {
		fail(g, &e);
		return;
	}
	learn(g->p, &g->mount);
	ask_value(g);
}

static void ask_mount(struct kv_get *g)
{
	CLEANUP_BUF struct buf path = BUF_INIT(4096);
	struct call_request r = {.method = "GET", .kind = RETRY_READ};
	struct err e;

	if (kv_mount_path(str_from(g->path), &path)) {
		err_set(&e, ERR_LIMIT, "%s: the path is too long", g->path);
		fail(g, &e);
		return;
	}
	r.path = buf_cstr(&path);
	r.token = token_secret(g->token);
	g->p->asks_mount = g;
	g->call = call_start(g->p, &r, on_mount, g);
}

/* --- step by step ------------------------------------------------------- */

static void on_token(void *ctx, struct token *t, const struct err *why)
{
	struct kv_get *g = ctx;

	g->token_wait = NULL;
	if (!t) {
		fail(g, why);
		return;
	}
	g->token = t;
	go_on(g);
}

static void go_on(struct kv_get *g)
{
	if (!g->token)
		g->token_wait = token_get(
			g->p, g->who,
			clock_mono_us() + (int64_t)g->p->p->timeout_ms * 1000,
			on_token, g);
	else if (known(g))
		ask_value(g);
	else if (!g->p->asks_mount)
		ask_mount(g);
}

static void on_timer(void *ctx)
{
	struct kv_get *g = ctx;

	if (g->fields) {
		tell(g, NULL);
		if (clock_mono_us() >= g->until_us)
			get_free(g);
		else
			loop_timer_set(g->timer, g->until_us);
	} else if (!g->call && !g->token_wait) {
		go_on(g);
	}
}

/* --- who wants it ------------------------------------------------------- */

/* Under the same login it is the same to all. */
static bool same_login(const struct kv_get *g, const struct grant *who)
{
	return g->p->p->auth != AUTH_IDENTITY ||
	       !strcmp(g->attempt.s, who->attempt.s);
}

static bool still_for(const struct kv_get *g, const struct grant *who)
{
	if (!g->fields)
		return true;
	for (size_t i = 0; i < g->n_attempts; i++)
		if (!strcmp(g->attempts[i].s, who->attempt.s))
			return true;
	return false;
}

static struct kv_get *find(struct place *p, const struct kv_what *what,
			   const struct grant *who)
{
	LIST_FOR(l, &p->gets)
	{
		struct kv_get *g = LIST_ENTRY(l, struct kv_get, link);

		if (!strcmp(g->path, what->path) &&
		    g->version == what->version && same_login(g, who) &&
		    still_for(g, who))
			return g;
	}
	return NULL;
}

static struct kv_get *get_new(struct place *p, const struct kv_what *what,
			      const struct grant *who)
{
	struct kv_get *g = mem_alloc(sizeof(*g));

	g->p = p;
	if (p->p->auth == AUTH_IDENTITY)
		g->who = who;
	g->attempt = who->attempt;
	g->version = what->version;
	memcpy(g->path, what->path, sizeof(g->path));
	list_init(&g->waits);
	list_push(&p->gets, &g->link);
	g->timer = loop_timer_new(p->v->loop, on_timer, g);
	return g;
}

struct kv_wait *kv_read(struct place *p, const struct kv_what *what,
			const struct grant *who, kv_fn *fn, void *ctx)
{
	struct kv_wait *w = mem_alloc(sizeof(*w));
	struct kv_get *g = find(p, what, who);

	if (!g)
		g = get_new(p, what, who);
	*w = (struct kv_wait){
		.g = g, .attempt = who->attempt, .fn = fn, .ctx = ctx};
	list_push(&g->waits, &w->link);
	/* A new one begins, or one that is done tells him. */
	if (g->fields || (!g->token_wait && !g->token))
		loop_timer_set(g->timer, clock_mono_us());
	return w;
}

void kv_cancel(struct kv_wait *w)
{
	struct kv_get *g = w ? w->g : NULL;

	if (!w)
		return;
	list_del(&w->link);
	mem_free(w);
	if (g->ending || g->fields || !list_empty(&g->waits))
		return;
	if (g->p->asks_mount == g)
		wake_others(g->p);
	get_free(g);
}

/* Kept for attempts that may ask for more of it: for none is for nobody. */
static void forget(struct kv_get *g, const struct ulid *attempt)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_attempts; i++)
		if (strcmp(g->attempts[i].s, attempt->s) != 0)
			g->attempts[n++] = g->attempts[i];
	g->n_attempts = n;
	if (g->fields && !n && list_empty(&g->waits))
		get_free(g);
}

void kv_attempt_ended(struct place *p, const struct ulid *attempt)
{
	LIST_FOR(l, &p->gets)
	forget(LIST_ENTRY(l, struct kv_get, link), attempt);
}

void kv_end(struct place *p)
{
	LIST_FOR(l, &p->gets)
	get_free(LIST_ENTRY(l, struct kv_get, link));
}
