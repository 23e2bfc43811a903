/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is tried again; see retry.h. */
#include "vault/retry.h"

/* What a status says, for each kind of request. */
enum cls {
	FINE,      /* an answer, whatever it says */
	ELSEWHERE, /* a redirect */
	LATER,     /* the server did nothing, and says so: again */
	BUSY,      /* the same, but it is an answer if there is no time left */
	BROKEN,    /* it may have done it: again, if that does no harm */
	FAILED,    /* the same, but it is an answer in the end */
	SHUT,      /* sealed */
};

static enum cls class_of(const struct retry_event *ev)
{
	switch (ev->status) {
	case 301:
	case 302:
	case 307:
	case 308:
		return ELSEWHERE;
	case 412:
	case 429:
		return BUSY;
	case 500:
		return ev->inactive ? LATER : FAILED;
	case 502:
	case 504:
		return BROKEN;
	case 503:
		return ev->sealed ? SHUT : LATER;
	default:
		return FINE;
	}
}

static struct retry_verdict say(enum retry_what what, enum provider_state state)
{
	return (struct retry_verdict){.what = what, .state = state};
}

/* Full jitter: anything up to a limit that doubles. */
static int64_t pause_us(const struct retry *r, const struct retry_event *ev,
			uint32_t random)
{
	uint64_t max = RETRY_BASE_MS;
	int64_t asked = ev->retry_after_s > 0 ? ev->retry_after_s * 1000000 : 0;

	for (unsigned i = 1; i < r->tries && max < RETRY_WAIT_MAX_MS; i++)
		max *= 2;
	if (max > RETRY_WAIT_MAX_MS)
		max = RETRY_WAIT_MAX_MS;
	return asked + (int64_t)((max * 1000 * random) >> 32);
}

/* Once more, if there is a try and time left; else `otherwise`. */
static struct retry_verdict again(struct retry *r, const struct retry_event *ev,
				  int64_t now_us, uint32_t random,
				  struct retry_verdict otherwise)
{
	int64_t wait;

	if (r->tries >= RETRY_TRIES_MAX ||
	    ev->retry_after_s > RETRY_AFTER_MAX_S)
		return otherwise;
	wait = pause_us(r, ev, random);
	if (now_us + wait >= r->deadline_us)
		return otherwise;
	return (struct retry_verdict){RETRY_AGAIN, wait, otherwise.state};
}

static struct retry_verdict no_answer(struct retry *r,
				      const struct retry_event *ev,
				      int64_t now_us, uint32_t random)
{
	struct retry_verdict down = say(RETRY_GIVE_UP, PROVIDER_DOWN);

	if (ev->too_long)
		return say(RETRY_GIVE_UP, PROVIDER_UP);
	if (ev->tls_failed || (ev->sent && r->kind == RETRY_MAKES))
		return down;
	return again(r, ev, now_us, random, down);
}

/* It came, but means nothing: asked again it may be whole. */
static struct retry_verdict garbled(struct retry *r,
				    const struct retry_event *ev,
				    int64_t now_us, uint32_t random)
{
	struct retry_verdict no = say(RETRY_GIVE_UP, PROVIDER_UP);

	if (r->kind == RETRY_MAKES || r->tries > 1)
		return no;
	return again(r, ev, now_us, random, no);
}

struct retry_verdict retry_judge(struct retry *r, const struct retry_event *ev,
				 int64_t now_us, uint32_t random)
{
	bool makes = r->kind == RETRY_MAKES;
	struct retry_verdict done = say(RETRY_DONE, PROVIDER_UP);
	struct retry_verdict down = say(RETRY_GIVE_UP, PROVIDER_DOWN);

	r->tries++;
	if (!ev->status)
		return no_answer(r, ev, now_us, random);
	switch (class_of(ev)) {
	case FINE:
		return ev->garbled ? garbled(r, ev, now_us, random) : done;
	case ELSEWHERE:
		if (!ev->location)
			return done;
		/* to a node that does not lead either, or not yet */
		if (r->redirected) {
			r->redirected = false;
			return again(r, ev, now_us, random, done);
		}
		r->redirected = true;
		return say(RETRY_REDIRECT, PROVIDER_UP);
	case LATER:
		return again(r, ev, now_us, random, down);
	case BUSY:
		return again(r, ev, now_us, random, done);
	case BROKEN:
		return makes ? down : again(r, ev, now_us, random, down);
	case FAILED:
		return makes ? done : again(r, ev, now_us, random, done);
	case SHUT:
		return say(RETRY_GIVE_UP, PROVIDER_SEALED);
	}
	return done;
}
