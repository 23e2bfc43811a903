/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The settings in force, reading everything anew, and what the machine can. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reload.h"
#include "api/reply.h"
#include "engine/engine.h"

int h_config(struct request *r)
{
	struct buf b = BUF_INIT(1 << 20);
	const struct api *a = r->api;

	buf_puts(&b, "{\"file\":");
	if (a->config->file.len) {
		buf_putc(&b, '"');
		buf_json(&b, a->config->file);
		buf_putc(&b, '"');
	} else {
		buf_puts(&b, "null");
	}
	buf_puts(&b, ",\"settings\":");
	(void)config_json(a->started, a->config, &b);
	buf_puts(&b, "}\n");
	return reply_json(r, 200, &b);
}

static void on_reloaded(void *ctx, const struct err *why)
{
	struct request *r = ctx;
	const struct reloaded *last = r->api->reloaded;
	struct buf b = BUF_INIT(1 << 16);

	if (!why) {
		buf_str(&b, buf_view(&last->told));
		reply_json(r, 200, &b);
	} else if (last && last->problems.n) {
		reply_problems(r, 422, "invalid", &last->problems);
	} else {
		reply_err(r, why);
	}
	request_resume(r);
}

/* What `nfo doctor` says where the server runs. */
static void on_report(void *ctx, struct str report, const struct err *why)
{
	struct request *r = ctx;
	struct buf b = BUF_INIT(1 << 20);

	if (why) {
		reply_err(r, why);
	} else {
		buf_str(&b, report);
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

int h_doctor(struct request *r)
{
	struct err e;

	if (control_doctor(r->api->control, on_report, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

static void on_noted(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;
	struct err e;

	if (r->api->reloaded) /* nothing of the one before */
		r->api->reloaded->problems.n = 0;
	if (a->err.code)
		reply_err(r, &a->err);
	else if (control_reload(r->api->control, on_reloaded, r, &e))
		reply_err(r, &e);
	else
		return;
	request_resume(r);
}

/* Noted first: whoever did it is known, whatever comes of it. */
int h_reload(struct request *r)
{
	struct err e;

	if (engine_audit(r->api->engine, str_from(r->who.name),
			 STR("system.reload"), STR(""), on_noted, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}
