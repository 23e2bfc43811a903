/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How those who call webhooks say who they are: one table for all schemes.
 * Pure: reads headers, verifies nothing (that is the keeper's, who has the
 * secret).
 *
 *   github        X-Hub-Signature-256: sha256=HEX of the body
 *   gitea         X-Gitea-Signature: HEX of the body, or as github
 *   gitlab-token  X-Gitlab-Token: the secret itself
 *   standard      Standard Webhooks: webhook-signature, a list of v1,BASE64 of
 *                 ID.TIME.BODY
 *   generic       X-Nfo-Signature: t=TIME,v1=HEX of TIME.BODY
 */
#pragma once

#include "base/hash.h"
#include "proto/edges.h"

enum hook_scheme {
	HOOK_GITHUB,
	HOOK_GITEA,
	HOOK_GITLAB_TOKEN,
	HOOK_STANDARD,
	HOOK_GENERIC,
	N_HOOK_SCHEMES,
};

enum {
	HOOK_ID_MAX = 128,    /* bytes of a delivery's id */
	HOOK_EVENT_MAX = 128, /* of an event's name */
	HOOK_PREFIX_MAX = 192,
	HOOK_TOLERANCE_S = 300 /* how far a signed time may be from ours */
};

/* What a call's headers say.  Text is borrowed from them. */
struct hook_call {
	enum verify_how how;
	struct hash macs[VERIFY_MACS_MAX]; /* one of them must be right */
	size_t n_macs;
	struct str token; /* VERIFY_TOKEN: the secret as presented */
	char prefix[HOOK_PREFIX_MAX]; /* signed in front of the body */
	size_t prefix_len;
	bool timed; /* time_s was signed */
	int64_t time_s;
	struct str delivery; /* "": none, or none that can be kept */
	bool by_content;     /* the same content is the same delivery */
	struct str event;    /* "": none */
	bool ping;           /* only to see whether we are there */
};

/* A header's value, or {NULL, 0}. */
typedef struct str hook_header_fn(void *ctx, const char *name);

const char *hook_scheme_name(enum hook_scheme s);
MUST_USE int hook_scheme_parse(struct str name, enum hook_scheme *ret);

/* -1: there is no well-formed signature; *ret then has none of the call. */
MUST_USE int hook_call_read(enum hook_scheme s, hook_header_fn *header,
			    void *ctx, struct hook_call *ret);
/* Is the time that was signed one of now? */
bool hook_call_fresh(const struct hook_call *c, int64_t now_s);
