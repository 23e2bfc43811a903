/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the monitor says, and the short things that are said to it. */
#include "base/crash.h"
#include "base/log.h"
#include "engine/internal.h"

#include <string.h>
#include <unistd.h>

static struct instance *find(struct engine *g, const struct attempt_id *id)
{
	struct instance *in = map_get(g->by_attempt, str_from(id->attempt.s));

	return in && in->row.fence == id->fence ? in : NULL;
}

/* --- to it -------------------------------------------------------------- */

static void ask_stop(struct engine *g, const struct attempt_id *id)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	attempt_id_encode(id, &w);
	if (chan_post(g->monitor, MSG_CANCEL, &w, NULL, 0, &e))
		log_warn("cancel: %s", e.text);
}

void monitor_stop_attempt(struct instance *in)
{
	struct attempt_id id = {in->row.ulid, in->row.fence};
	struct engine *g = in->run->g;

	/* one that goes out after this turn is told then, see launch.c */
	if (in->stop_sent || !in->running)
		return;
	in->stop_sent = true;
	if (!in->prepared && g->monitor)
		ask_stop(g, &id);
}

void monitor_release(struct run *r)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	if (!r->has_slot || !r->g->monitor)
		return;
	wire_bytes(&w, r->row.ulid.s, ULID_LEN);
	wire_u32(&w, r->slot);
	if (chan_post(r->g->monitor, MSG_RELEASE, &w, NULL, 0, &e))
		log_warn("release: %s", e.text);
}

/* --- from it ------------------------------------------------------------ */

static int on_ended(struct engine *g, struct wire_reader *rd)
{
	struct instance *in;
	struct ended end;

	if (ended_decode(rd, &end) || !wire_end(rd))
		return -1;
	in = find(g, &end.id);
	if (!in || !in->running)
		return 0; /* stale: an earlier holder's */
	CRASH_POINT("completion.before");
	result_begin(in, &end);
	turn_soon(g);
	return 0;
}

static int on_started(struct engine *g, struct wire_reader *rd)
{
	struct attempt_id id;
	struct instance *in;
	int64_t when;

	if (attempt_id_decode(rd, &id))
		return -1;
	when = wire_get_i64(rd);
	if (!wire_end(rd))
		return -1;
	g->stats.attempts_started++;
	in = find(g, &id);
	if (in && in->running)
		in->row.started_us = when; /* goes with the next commit */
	return 0;
}

static int on_alive(struct engine *g, struct wire_reader *rd)
{
	struct attempt_id id;
	struct instance *in;

	if (attempt_id_decode(rd, &id) || !wire_end(rd))
		return -1;
	in = find(g, &id);
	if (in) {
		in->alive = true;
		return 0;
	}
	/* its run could not be planned again: nobody waits for it */
	log_warn("attempt %s: alive and unknown, it is ended", id.attempt.s);
	ask_stop(g, &id);
	return 0;
}

void monitor_alive_end(struct engine *g)
{
	if (g->recovered)
		return;
	g->recovered = true;
	recover_end(g);
	LIST_FOR(l, &g->runs)
	live_look(LIST_ENTRY(l, struct run, link));
	turn(g);
}

/* For the watchdog: this thread is not stuck. */
static int on_ping(struct engine *g, struct wire_reader *rd)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u64(&w, wire_get_u64(rd));
	if (!wire_end(rd))
		return -1;
	return chan_post(g->monitor, MSG_PONG, &w, NULL, 0, &e);
}

static int on_msg(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct engine *g = ctx;

	switch (msg->type) {
	case MSG_ENDED:
		return on_ended(g, &r);
	case MSG_STARTED:
		return on_started(g, &r);
	case MSG_ALIVE:
		return on_alive(g, &r);
	case MSG_ALIVE_END:
		if (!wire_end(&r))
			return -1;
		monitor_alive_end(g);
		return 0;
	case MSG_PING:
		return on_ping(g, &r);
	case MSG_STOP:
		return 0; /* the process is told by a signal too */
	default:
		return -1;
	}
}

static void on_close(void *ctx, const struct err *why)
{
	struct engine *g = ctx;

	log_error("the monitor is gone: %s", why ? why->text : "end of file");
	/* nothing can be started or heard of any more */
	if (!g->o.stay_without_monitor)
		_exit(1);
	chan_free(g->monitor);
	g->monitor = NULL;
}

const struct chan_ops monitor_ops = {on_msg, on_close};
