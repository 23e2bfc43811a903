/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a message between roles: the first says which.  What is taken
 * is written again as it was. */
#include "proto/edges.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static union {
	struct grant grant;
	struct attempt_id id;
	struct ended ended;
	struct make make;
	struct usage usage;
	struct role_init init;
	struct verify verify;
} m;

/* True when it is a message and was written again into w. */
static bool again(uint8_t which, struct wire_reader *r, struct wire_writer *w)
{
	int bad = -1;

	switch (which) {
	case 0:
		bad = grant_decode(r, &m.grant);
		if (!bad)
			grant_encode(&m.grant, w);
		break;
	case 1:
		bad = attempt_id_decode(r, &m.id);
		if (!bad)
			attempt_id_encode(&m.id, w);
		break;
	case 2:
		bad = ended_decode(r, &m.ended);
		if (!bad)
			ended_encode(&m.ended, w);
		break;
	case 3:
		bad = make_decode(r, &m.make);
		if (!bad)
			make_encode(&m.make, w);
		break;
	case 4:
		bad = usage_decode(r, &m.usage);
		if (!bad)
			usage_encode(&m.usage, w);
		break;
	case 5:
		bad = role_init_decode(r, &m.init);
		if (!bad)
			role_init_encode(&m.init, w);
		break;
	case 6:
		bad = verify_decode(r, &m.verify);
		if (!bad)
			verify_encode(&m.verify, w);
		break;
	default:
		break;
	}
	return !bad && wire_end(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct wire_writer w;
	struct wire_reader r;

	if (!len || len > WIRE_MAX)
		return 0;
	w.len = 0;
	w.failed = false;
	r = wire_reader(data + 1, len - 1);
	if (again(data[0], &r, &w) &&
	    (w.failed || w.len != len - 1 || memcmp(w.data, data + 1, w.len)))
		abort();
	return 0;
}
