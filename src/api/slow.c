/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Waiting answers; see slow.h. */
#include "api/slow.h"
#include "access/guesses.h"
#include "api/door.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void on_timer(void *ctx);

void slow_begin(struct api *a)
{
	a->slow.guesses = guesses_new();
	a->slow.timer = loop_timer_new(a->loop, on_timer, a);
	list_init(&a->slow.waiting);
}

/* --- who ---------------------------------------------------------------- */

static unsigned peer_uid(const struct request *r)
{
	struct ucred cred = {.uid = 0};
	socklen_t len = sizeof(cred);

	(void)getsockopt(r->peer->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.uid;
}

struct str slow_client(const struct request *r, char out[CLIENT_MAX])
{
	struct in6_addr six;

	if (r->peer->is_unix && !r->from.by_proxy) {
		(void)snprintf(out, CLIENT_MAX, "uid:%u", peer_uid(r));
	} else if (inet_pton(AF_INET6, r->from.client, &six) == 1) {
		memset(six.s6_addr + 8, 0, 8);
		(void)inet_ntop(AF_INET6, &six, out, CLIENT_MAX);
	} else {
		(void)snprintf(out, CLIENT_MAX, "%s", r->from.client);
	}
	return str_from(out);
}

/* --- waiting ------------------------------------------------------------ */

static size_t waiting_of(const struct slow *s, const char *client)
{
	size_t n = 0;

	LIST_FOR(l, &s->waiting)
	n += !strcmp(LIST_ENTRY(l, struct request, slow.link)->slow.client,
		     client);
	return n;
}

static void arm(struct slow *s)
{
	int64_t next = -1;

	LIST_FOR(l, &s->waiting)
	{
		int64_t us =
			LIST_ENTRY(l, struct request, slow.link)->slow.until_us;

		if (next < 0 || us < next)
			next = us;
	}
	loop_timer_set(s->timer, next);
}

static void let_go(struct request *r)
{
	slow_forget(r);
	request_resume(r);
}

static void on_timer(void *ctx)
{
	struct api *a = ctx;
	int64_t now = clock_mono_us();

	LIST_FOR(l, &a->slow.waiting)
	{
		struct request *r = LIST_ENTRY(l, struct request, slow.link);

		if (r->slow.until_us <= now)
			let_go(r);
	}
	arm(&a->slow);
}

static int too_many(struct request *r, int64_t us)
{
	char seconds[24];

	reply_problem(r, 429, "slow-down",
		      "wrong tokens come too fast; the answers to those before "
		      "still wait");
	(void)snprintf(seconds, sizeof(seconds), "%lld",
		       (long long)(us / 1000000 + 1));
	reply_header(r, "Retry-After", seconds);
	return -1;
}

int slow_wrong(struct request *r)
{
	struct slow *s = &r->api->slow;
	int64_t now = clock_mono_us(), us;
	struct str client = slow_client(r, r->slow.client);

	s->n_wrong++;
	us = guesses_wrong(s->guesses, client, now);
	if (us == GUESSES_FIRST_US)
		log_warn("wrong tokens come from %s: they are answered late",
			 r->slow.client);
	if (us && (s->n_waiting >= SLOW_MOST ||
		   waiting_of(s, r->slow.client) >= SLOW_MOST_OF_ONE))
		return too_many(r, us);
	if (us)
		r->slow.until_us = now + us;
	return 0;
}

int slow_check(struct request *r)
{
	struct slow *s = &r->api->slow;
	int64_t now = clock_mono_us();
	struct str client = slow_client(r, r->slow.client);

	if (guesses_count(s->guesses, client, now) < GUESSES_MOST)
		return 0;
	if (now - s->checks_us >= 1000000) {
		s->checks_us = now;
		s->n_checks = 0;
	}
	return s->n_checks++ < SLOW_CHECKS ? 0 : too_many(r, 0);
}

bool slow_waits(struct request *r)
{
	struct slow *s = &r->api->slow;

	if (!r->slow.until_us || r->slow.link.next)
		return false;
	list_push(&s->waiting, &r->slow.link);
	s->n_waiting++;
	arm(s);
	return true;
}

void slow_forget(struct request *r)
{
	if (!r->slow.link.next)
		return;
	list_del(&r->slow.link);
	r->slow.link.next = NULL;
	r->slow.until_us = 0;
	r->api->slow.n_waiting--;
}

void slow_end(struct api *a)
{
	if (!a->slow.timer)
		return;
	LIST_FOR(l, &a->slow.waiting)
	let_go(LIST_ENTRY(l, struct request, slow.link));
	loop_timer_free(a->slow.timer);
	a->slow.timer = NULL;
	guesses_free(a->slow.guesses);
}
