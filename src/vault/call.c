/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One request until it has an answer; see call.h. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
	URL_MAX = 4096,
	MASKS = 1 + ARRAY_LEN(((struct call_request *)0)->masks)
};

struct call {
	struct link link; /* among the place's */
	struct link turn; /* among those that wait for room */
	struct place *p;
	struct call_request r; /* method: static; path, body: ours */
	char *path;
	struct buf body;
	struct retry retry;
	char *url; /* of a redirect; NULL: the provider's own address */
	call_fn *fn;
	void *ctx;
	struct loop_timer *timer; /* the next step, or the end of waiting */
	struct trust_ask *ask;
	struct trust *trust;
	struct http_exchange *x;
	bool has_room; /* counted in the place's running */
	bool sent;     /* some try of it */
};

/* --- the end ------------------------------------------------------------ */

/* Whoever waits longest is next. */
static void give_room(struct place *p)
{
	struct call *next;

	if (list_empty(&p->waiting) || p->running >= PLACE_AT_ONCE)
		return;
	next = LIST_ENTRY(p->waiting.next, struct call, turn);
	list_del(&next->turn);
	loop_timer_set(next->timer, clock_mono_us());
}

static void leave_room(struct call *c)
{
	if (!c->has_room)
		return;
	c->has_room = false;
	c->p->running--;
	give_room(c->p);
}

static void call_free(struct call *c)
{
	trust_cancel(c->ask);
	http_cancel(c->x);
	trust_put(c->trust);
	loop_timer_free(c->timer);
	list_del(&c->link);
	list_del(&c->turn);
	leave_room(c);
	mem_free(c->path);
	mem_free(c->url);
	buf_wipe(&c->body);
	mem_free(c);
}

static void end(struct call *c, struct vault_answer *a, const struct err *why)
{
	list_del(&c->turn);
	leave_room(c);
	c->fn(c->ctx, a, why);
	call_free(c);
}

static void fail(struct call *c, enum err_code code, const char *text)
{
	struct err e;

	err_set(&e, code, "%s: %s", c->p->p->name, text);
	end(c, NULL, &e);
}

/* It is away, and who waits for it is told when it is not any more. */
static void away(struct call *c, enum provider_state state, const char *text)
{
	place_open(c->p, state, text);
	fail(c, ERR_UNAVAILABLE, text);
}

/* --- an answer ---------------------------------------------------------- */

static const char *of_path(const struct call *c)
{
	return str_starts(str_from(c->path), STR("v1/")) ? c->path + 3 :
							   c->path;
}

static struct answer_masks masks_of(const struct call *c,
				    const struct secret *list[MASKS])
{
	list[0] = c->r.token;
	for (size_t i = 1; i < MASKS; i++)
		list[i] = c->r.masks[i - 1];
	return (struct answer_masks){list, MASKS};
}

/* Only to where the settings let it send us, and never out of TLS. */
static int redirect(struct call *c, const char *to, struct err *e)
{
	CLEANUP_BUF struct buf origin = BUF_INIT(URL_MAX);
	const struct provider *p = c->p->p;
	struct str path = str_from(to);
	bool may;

	path.len = strcspn(to, "?");
	if (http_origin(path, &origin, NULL))
		return err_set(e, ERR_DENIED,
			       "%s: it sends us to what is no address",
			       p->name);
	may = str_is(buf_view(&origin), p->origin);
	for (size_t i = 0; i < p->n_redirects; i++)
		may |= str_is(buf_view(&origin), p->redirects[i]);
	if (!may || (str_starts(str_from(p->origin), STR("https:")) &&
		     !str_starts(path, STR("https:"))))
		return err_set(e, ERR_DENIED,
			       "%s: it sends us elsewhere, and that is not "
			       "among its `redirects`",
			       p->name);
	mem_free(c->url);
	c->url = mem_strdup(to);
	return 0;
}

static void on_done(struct call *c, struct vault_answer *a)
{
	bool fine = a->status >= 200 && a->status < 300;
	struct err e;

	if (!fine) {
		answer_err(a, of_path(c), &e);
		err_wrap(&e, "%s", c->p->p->name);
	}
	end(c, a, fine ? NULL : &e);
}

static void give_up(struct call *c, const struct retry_verdict *v,
		    const struct http_answer *h, const struct err *bad,
		    const struct vault_answer *a)
{
	const struct secret *list[MASKS];
	struct answer_masks masks = masks_of(c, list);
	char text[ANSWER_TEXT_MAX + 40];

	if (v->state == PROVIDER_SEALED) {
		away(c, v->state, "it is sealed");
	} else if (v->state == PROVIDER_DOWN) {
		if (h->why)
			answer_clean(str_from(h->why->text), &masks, text);
		else
			(void)snprintf(text, sizeof(text), "status %d%s%s",
				       h->status, a && a->errors[0] ? ": " : "",
				       a ? a->errors : "");
		away(c, v->state, text);
	} else {
		fail(c, h->too_long ? ERR_LIMIT : ERR_INTERNAL,
		     h->too_long ? h->why->text :
		     bad         ? bad->text :
				   "no answer");
	}
}

/* What became of one try. */
static void judge(struct call *c, const struct http_answer *h,
		  struct vault_answer *a, const struct err *bad)
{
	struct retry_event ev = {
		.status = h->status,
		.sent = h->sent,
		.sealed = a && a->sealed,
		.inactive = a && a->inactive,
		.tls_failed = h->tls_failed,
		.too_long = h->too_long,
		.garbled = bad != NULL,
		.location = *h->location != '\0',
		.retry_after_s = h->retry_after_s,
	};
	int64_t now = clock_mono_us();
	struct retry_verdict v = retry_judge(&c->retry, &ev, now, vault_dice());
	struct err e;

	place_heard(c->p, v.state, h->why ? h->why->text : a ? a->errors : "");
	switch (v.what) {
	case RETRY_DONE:
		on_done(c, a);
		return;
	case RETRY_REDIRECT:
		if (redirect(c, h->location, &e)) {
			end(c, NULL, &e);
			return;
		}
		loop_timer_set(c->timer, now);
		return;
	case RETRY_AGAIN:
		if (h->status >= 300 && h->status < 400) {
			mem_free(c->url); /* from the beginning */
			c->url = NULL;
		}
		loop_timer_set(c->timer, now + v.wait_us);
		return;
	case RETRY_GIVE_UP:
		give_up(c, &v, h, bad, a);
		return;
	}
}

/* Asked past the breaker: whatever comes is the answer, and tells nobody
 * anything. */
static void take_any(struct call *c, const struct http_answer *h,
		     struct vault_answer *a, const struct err *bad)
{
	if (a)
		on_done(c, a);
	else
		fail(c, ERR_UNAVAILABLE, h->why ? h->why->text : bad->text);
}

static void on_answer(void *ctx, const struct http_answer *h)
{
	struct call *c = ctx;
	const struct secret *list[MASKS];
	struct answer_masks masks = masks_of(c, list);
	struct vault_answer *a = NULL;
	struct err e;
	int bad = 0;

	c->x = NULL;
	c->sent |= h->sent;
	if (*h->index)
		(void)snprintf(c->p->index, sizeof(c->p->index), "%s",
			       h->index);
	if (h->tls_failed)
		trust_stale(c->p);
	trust_put(c->trust);
	c->trust = NULL;
	leave_room(c);
	if (h->status)
		bad = answer_read(h->status, h->body, &masks, &a, &e);
	(c->r.always ? take_any : judge)(c, h, a, bad ? &e : NULL);
	answer_free(a);
}

/* --- a try -------------------------------------------------------------- */

static void send(struct call *c)
{
	CLEANUP_BUF struct buf url = BUF_INIT(2 * URL_MAX);
	int64_t left = (c->retry.deadline_us - clock_mono_us()) / 1000;
	struct http_request r = {
		.method = c->r.method,
		.tls = &c->trust->tls,
		.token = c->r.token,
		.vault_namespace =
			c->r.of_server ? NULL : c->p->p->vault_namespace,
		.index = c->p->index,
		.wrap_ttl_s = c->r.wrap_ttl_s,
		.body = c->body.len ? buf_view(&c->body) : str_n(NULL, 0),
		.timeout_ms = (uint32_t)left,
		.once = c->r.kind == RETRY_MAKES,
	};

	if (c->url)
		buf_puts(&url, c->url);
	else
		buf_printf(&url, "%s/%s", c->p->p->address, c->path);
	r.url = buf_cstr(&url);
	c->x = http_send(c->p->v->http, &r, on_answer, c);
}

static void on_trust(void *ctx, struct trust *t, const struct err *why)
{
	struct call *c = ctx;

	c->ask = NULL;
	if (!t) {
		fail(c, why->code == ERR_UNAVAILABLE ? ERR_INTERNAL : why->code,
		     why->text);
		return;
	}
	c->trust = t;
	if (clock_mono_us() + 1000 <= c->retry.deadline_us) {
		send(c);
		return;
	}
	/* Reading its files took all the time: step() says so. */
	trust_put(c->trust);
	c->trust = NULL;
	leave_room(c);
	loop_timer_set(c->timer, clock_mono_us());
}

/* The timer: it is its turn, or its time is over. */
static void step(struct call *c)
{
	struct place *p = c->p;
	int64_t now = clock_mono_us();

	if (c->body.failed) {
		fail(c, ERR_LIMIT, "the request is too large");
		return;
	}
	if (now + 1000 > c->retry.deadline_us) {
		fail(c, ERR_LIMIT, "it was not asked in time");
		return;
	}
	if (!c->r.always && !breaker_lets(&p->breaker)) {
		away(c, p->breaker.state, p->why);
		return;
	}
	if (p->running >= PLACE_AT_ONCE && !c->r.always) {
		list_push(&p->waiting, &c->turn);
		loop_timer_set(c->timer, c->retry.deadline_us);
		return;
	}
	c->has_room = true;
	p->running++;
	c->ask = trust_ask(p, on_trust, c);
}

static void on_timer(void *ctx)
{
	struct call *c = ctx;

	list_del(&c->turn);
	step(c);
}

struct call *call_start(struct place *p, const struct call_request *r,
			call_fn *fn, void *ctx)
{
	struct call *c = mem_alloc(sizeof(*c));
	int64_t now = clock_mono_us();

	*c = (struct call){
		.p = p,
		.r = *r,
		.path = mem_strdup(r->path),
		.body = BUF_INIT(SECRET_MAX * 2),
		.retry = {r->kind, now + (int64_t)p->p->timeout_ms * 1000},
		.fn = fn,
		.ctx = ctx,
		.timer = loop_timer_new(p->v->loop, on_timer, c),
	};
	if (r->deadline_us && r->deadline_us < c->retry.deadline_us)
		c->retry.deadline_us = r->deadline_us;
	list_push(&p->calls, &c->link);
	list_init(&c->turn);
	if (r->body.p && buf_room(&c->body, r->body.len))
		buf_str(&c->body, r->body);
	loop_timer_set(c->timer, now);
	return c;
}

void call_cancel(struct call *c)
{
	if (c)
		call_free(c);
}

void calls_cancel(struct place *p)
{
	LIST_FOR(l, &p->calls)
	call_free(LIST_ENTRY(l, struct call, link));
}

bool call_was_sent(const struct call *c)
{
	return c->sent;
}

bool call_path(struct buf *b, struct str path)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || (c && strchr("-._~/", c))) {
			buf_putc(b, (char)c);
			continue;
		}
		buf_putc(b, '%');
		buf_putc(b, digits[c >> 4]);
		buf_putc(b, digits[c & 15]);
	}
	return !b->failed;
}
