/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where secrets come from besides the local store.  The keeper knows them and
 * asks them; here is what stored jobs want of them. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "engine/engine.h"
#include "store/jobs.h"

enum {
	PATHS_MAX = 256,
	PATHS_TEXT_MAX = 256 * 1024,
};

static void on_providers(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ctx;
	struct buf b = BUF_INIT(KEEPER_LIST_MAX + 64);

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_puts(&b, "{\"items\":");
		buf_str(&b, str_trim(a->json));
		buf_puts(&b, ",\"next_cursor\":null}\n");
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

static void on_object(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ctx;
	struct buf b = BUF_INIT(KEEPER_LIST_MAX + 64);

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_str(&b, str_trim(a->json));
		buf_putc(&b, '\n');
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

static int asked(struct request *r, int bad, const struct err *e)
{
	if (bad)
		return reply_err(r, e);
	request_wait(r);
	return 0;
}

int h_providers(struct request *r)
{
	struct err e;

	return asked(r,
		     keeper_show_providers(r->api->keeper, STR(""),
					   on_providers, r, &e),
		     &e);
}

int h_provider(struct request *r)
{
	struct err e;

	return asked(r,
		     keeper_show_providers(r->api->keeper, r->params[0],
					   on_object, r, &e),
		     &e);
}

/* --- check --------------------------------------------------------------- */

/* A line each; what could not be one line is no path. */
static int add_path(void *ctx, struct str path, struct str kind, struct err *e)
{
	struct buf *b = ctx;

	(void)e;
	if (str_has(path, '\n') || str_has(kind, ' ') || str_has(kind, '\n'))
		return 0;
	buf_printf(b, STR_FMT " ", STR_ARG(kind));
	buf_str(b, path);
	buf_putc(b, '\n');
	return 0;
}

/* It is a login and some requests in our name: who asked is written down. */
static void on_noted(void *ctx, const struct engine_reply *a)
{
	CLEANUP_BUF struct buf paths = BUF_INIT(PATHS_TEXT_MAX);
	struct request *r = ctx;
	struct err e = a->err;

	if (!e.code &&
	    !store_read_vault_paths(r->api->reader, r->params[0], PATHS_MAX,
				    add_path, &paths, &e) &&
	    !keeper_check_provider(r->api->keeper, r->params[0],
				   buf_view(&paths), on_object, r, &e))
		return;
	reply_err(r, &e);
	request_resume(r);
}

int h_provider_check(struct request *r)
{
	struct err e;

	return asked(r,
		     engine_audit(r->api->engine, str_from(r->who.name),
				  STR("secret_provider.check"), r->params[0],
				  on_noted, r, &e),
		     &e);
}
