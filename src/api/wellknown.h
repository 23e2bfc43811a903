/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The public halves of the keeper's keys, for whoever checks tokens of
 * attempts.  They are kept in a file, so that they are there, too, while the
 * keeper is away or sealed: a key that nobody can find is one that is wrong.
 */
#pragma once

#include "base/buf.h"
#include "proto/edges.h"

struct api;

struct wellknown {
	struct buf issuer, jwks; /* empty: not known yet */
	struct buf sealing;      /* of the keeper that is there; not kept */
};

/* What was known last, from the state directory. */
void wellknown_load(struct api *a);
/* A keeper_public_fn; ctx: the struct api. */
void wellknown_took(void *ctx, const struct public_keys *k);
void wellknown_done(struct wellknown *w);
