/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A secret's bytes: owned, opaque, in guarded memory of their own (locked,
 * not dumped, between two unreadable pages, wiped when freed).  There is no
 * way from here to a struct str, a struct buf or a char *: only a borrowed
 * view that no printf takes.  Keep the view no longer than the secret.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct secret;

struct secret_view {
	const unsigned char *bytes;
	size_t n_bytes;
};

enum {
	SECRET_MAX = 1 << 20,   /* bytes */
	SECRET_WIPE_ON_FORK = 1 /* children see zeros: hand it over by a pipe */
};

/*
 * A secret of len bytes (0 is fine), copied from p; p NULL gives zeros, to be
 * filled through secret_room().  The caller still owns p and wipes it.
 *
 * Fails with ERR_LIMIT over SECRET_MAX or when no memory can be mapped.
 */
MUST_USE int secret_new(const void *p, size_t len, unsigned flags,
			struct secret **ret, struct err *e);
void secret_free(struct secret *s); /* wipes; NULL is fine */
void secret_cleanup(struct secret **s);
#define CLEANUP_SECRET CLEANUP(secret_cleanup)

struct secret_view secret_bytes(const struct secret *s); /* borrowed */
/* The same bytes, writable, for the one who reads the value from a
 * descriptor or decrypts it; then say how many were written. */
unsigned char *secret_room(struct secret *s);
void secret_shrink(struct secret *s, size_t len); /* wipes what is cut off */

/* Constant time for equal lengths; the length is no secret. */
bool secret_eq(const struct secret *a, const struct secret *b);
/* Whether mlock(2) worked; report it once, do not refuse to run. */
bool secret_locked(const struct secret *s);

/*
 * This process holds secrets: no core dump (PR_SET_DUMPABLE 0, RLIMIT_CORE 0),
 * hence no ptrace and no /proc/PID/mem for others of the same user.  Call it
 * again after every change of the user id, which sets dumpable anew.
 *
 * Fails with ERR_INTERNAL.
 */
MUST_USE int secret_process_harden(struct err *e);
