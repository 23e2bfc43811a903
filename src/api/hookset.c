/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A job's webhooks, stored and shown; see hookset.h. */
#include "api/hookset.h"
#include "api/internal.h"
#include "api/origin.h"
#include "base/clock.h"
#include "base/hex.h"
#include "hook/hook.h"
#include "hook/scheme.h"

#include <stdio.h>
#include <string.h>

/* --- stored ------------------------------------------------------------- */

static int read_one(const struct job *j, const struct doc_node *n,
		    struct hookset *set, struct err *e)
{
	CLEANUP_BUF struct buf ref = BUF_INIT(sizeof(set->hooks[0].secret));
	struct str name = job_text(doc_get(n, "name"), "");
	enum hook_scheme scheme;

	if (hook_scheme_parse(job_text(doc_get(n, "scheme"), ""), &scheme) ||
	    hook_secret_ref(j->doc->root, j->project, n, &ref, e))
		return err_set(e, ERR_INVALID,
			       "the webhook \"" STR_FMT
			       "\" has no scheme or secret",
			       STR_ARG(name));
	(void)snprintf(set->hooks[set->n].name, sizeof(set->hooks[0].name),
		       STR_FMT, STR_ARG(name));
	(void)snprintf(set->hooks[set->n].secret, sizeof(set->hooks[0].secret),
		       STR_FMT, STR_ARG(buf_view(&ref)));
	set->hooks[set->n++].scheme = hook_scheme_name(scheme);
	return 0;
}

int hookset_read(const struct job *j, struct hookset *ret, struct err *e)
{
	const struct doc_node *list = hook_list(j->doc->root);

	ret->n = 0;
	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (ret->n == JOB_HOOKS_MAX || read_one(j, n, ret, e))
			return -1;
	return 0;
}

void hookset_new_id(char ret[HOOK_ID_LEN + 1])
{
	unsigned char raw[HOOK_BYTES];

	random_bytes(raw, sizeof(raw));
	hex_encode(raw, sizeof(raw), ret);
}

int hookset_store(const struct hookset *set, struct store *s,
		  struct str project, struct str job, int64_t now_us,
		  struct err *e)
{
	CLEANUP_BUF struct buf names =
		BUF_INIT(JOB_HOOKS_MAX * (JOB_NAME_MAX + 4) + 4);

	buf_putc(&names, '[');
	for (size_t i = 0; i < set->n; i++)
		buf_printf(&names, "%s\"%s\"", i ? "," : "",
			   set->hooks[i].name);
	buf_putc(&names, ']');
	if (store_hooks_keep(s, project, job, buf_view(&names), e))
		return -1;
	for (size_t i = 0; i < set->n; i++) {
		char id[HOOK_ID_LEN + 1];
		struct store_hook h = {
			.id = str_n(id, HOOK_ID_LEN),
			.project = project,
			.job = job,
			.name = str_from(set->hooks[i].name),
			.scheme = str_from(set->hooks[i].scheme),
			.secret = str_from(set->hooks[i].secret),
			.created_us = now_us,
		};

		hookset_new_id(id);
		if (store_hook_put(s, &h, e))
			return -1;
	}
	return 0;
}

/* --- shown -------------------------------------------------------------- */

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	clock_format(us, t);
	buf_printf(b, ",\"%s\":\"%s\"", key, t);
}

static void head(const struct request *r, const struct store_hook *h,
		 struct buf *b)
{
	buf_printf(b,
		   "{\"name\":\"" STR_FMT "\",\"scheme\":\"" STR_FMT
		   "\",\"url\":\"%s/v1/hooks/" STR_FMT "\"",
		   STR_ARG(h->name), STR_ARG(h->scheme), origin_base(r),
		   STR_ARG(h->id));
}

struct listing {
	const struct request *r;
	struct buf *b;
};

static int add(void *ctx, const struct store_hook *h, struct err *e)
{
	const struct listing *l = ctx;

	(void)e;
	if (l->b->data[l->b->len - 1] != '[')
		buf_putc(l->b, ',');
	head(l->r, h, l->b);
	buf_putc(l->b, '}');
	return 0;
}

int hookset_view(const struct request *r, struct str project, struct str job,
		 struct buf *b, struct err *e)
{
	struct listing l = {r, b};

	if (!buf_putc(b, '[') ||
	    store_read_hooks(r->api->reader, project, job, add, &l, e))
		return -1;
	return buf_putc(b, ']') ? 0 : err_set(e, ERR_LIMIT, "too many hooks");
}

void hookset_view_delivery(const struct store_delivery *d, struct buf *b)
{
	buf_puts(b, "{\"id\":\"");
	buf_json(b, d->delivery);
	buf_puts(b, "\",\"event\":");
	if (d->event.len) {
		buf_putc(b, '"');
		buf_json(b, d->event);
		buf_putc(b, '"');
	} else {
		buf_puts(b, "null");
	}
	buf_printf(b, ",\"outcome\":\"" STR_FMT "\"", STR_ARG(d->outcome));
	if (d->run.len)
		buf_printf(b, ",\"run_id\":\"run_" STR_FMT "\"",
			   STR_ARG(d->run));
	else
		buf_puts(b, ",\"run_id\":null");
	if (d->error.len) {
		buf_puts(b, ",\"error\":\"");
		buf_json(b, d->error);
		buf_putc(b, '"');
	} else {
		buf_puts(b, ",\"error\":null");
	}
	when(b, "at", d->at_us);
	buf_putc(b, '}');
}

static int add_last(void *ctx, const struct store_delivery *d, struct err *e)
{
	(void)e;
	buf_puts(ctx, ",\"last_delivery\":");
	hookset_view_delivery(d, ctx);
	return 0;
}

int hookset_view_one(const struct request *r, const struct store_hook *h,
		     struct buf *b, struct err *e)
{
	size_t before;

	head(r, h, b);
	when(b, "created_at", h->created_us);
	before = b->len;
	if (store_read_deliveries(r->api->reader, h->n, 0, 1, add_last, b, e))
		return -1;
	buf_puts(b, b->len == before ? ",\"last_delivery\":null}" : "}");
	return 0;
}
