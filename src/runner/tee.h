/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Standard output as it is, beside the log: into the pipes of the tasks that
 * read it and into its artifact.  A block goes on only when it completes no
 * secret, and the next one is read when all readers have this one.
 */
#pragma once

#include "runner/internal.h"
#include "runner/look.h"

#include <poll.h>

struct tee {
	struct run *r;
	struct {
		int fd; /* -1: gone or none */
		size_t at;
	} readers[FORK_READERS_MAX];
	const char *block; /* borrowed, still going to readers */
	size_t len;
	int artifact; /* -1: none */
	uint64_t artifact_bytes;
	struct look look;
};

void tee_begin(struct tee *t, struct run *r);
/* The readers' pipes go back to the run: it is known later how they end. */
void tee_finish(struct tee *t);
/* The secret that these bytes complete; -1: none.  When they cannot be looked
 * through the artifact has failed, and is no more. */
int tee_leak(struct tee *t, const char *p, size_t len);
void tee_keep(struct tee *t, const char *p, size_t len);
void tee_send(struct tee *t, const char *p, size_t len); /* p stays */
bool tee_pending(const struct tee *t);
/* What the pipes take; a reader that left is dropped. */
void tee_push(struct tee *t);
void tee_poll(const struct tee *t, struct pollfd p[FORK_READERS_MAX]);
