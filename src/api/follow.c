/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Waking streams; see follow.h. */
#include "api/follow.h"
#include "api/internal.h"
#include "api/reply.h"

#include <string.h>

int follower_room(struct request *r)
{
	const struct http_limits *l = door_limits(r->peer->door);

	if (r->api->n_followers < l->connections / 4 * 3)
		return 0;
	return reply_problem(r, 503, "too-many-streams", "%zu streams are open",
			     r->api->n_followers),
	       -1;
}

void follower_add(struct api *a, struct follower *f, struct request *r,
		  const struct ulid *run)
{
	f->r = r;
	f->beat = f->heard = false;
	f->news = NULL;
	memset(&f->run, 0, sizeof(f->run));
	if (run)
		f->run = *run;
	f->api = a;
	a->n_followers++;
	list_push(&a->followers, &f->link);
}

void follower_del(struct follower *f)
{
	if (!f->api)
		return;
	f->api->n_followers--;
	f->api = NULL;
	list_del(&f->link);
}

void follow_news(void *ctx, const struct engine_news *n)
{
	struct api *a = ctx;
	bool all = !n->run.s[0];

	LIST_FOR(l, &a->followers)
	{
		struct follower *f = LIST_ENTRY(l, struct follower, link);

		if (!all && f->run.s[0] && strcmp(f->run.s, n->run.s) != 0)
			continue;
		f->heard = true;
		if (f->news)
			f->news(f);
		else
			request_resume(f->r);
	}
}

void follow_wake(struct api *a)
{
	LIST_FOR(l, &a->followers)
	{
		struct follower *f = LIST_ENTRY(l, struct follower, link);

		f->heard = true;
		if (!f->news)
			request_resume(f->r);
	}
}

void follow_end(struct api *a)
{
	const struct engine_news all = {.ended = false};

	follow_news(a, &all);
}

void follow_beat(struct api *a)
{
	LIST_FOR(l, &a->followers)
	{
		struct follower *f = LIST_ENTRY(l, struct follower, link);

		f->beat = true;
		if (!f->news)
			request_resume(f->r);
	}
}

int param_run(struct request *r, unsigned i, struct ulid *ret)
{
	struct str s = request_param(r, i);

	if (str_starts(s, STR("run_")) && ulid_valid(str_from_at(s, 4))) {
		memcpy(ret->s, s.p + 4, ULID_LEN);
		ret->s[ULID_LEN] = '\0';
		return 0;
	}
	return reply_problem(r, 404, "not-found", "no such run"), -1;
}
