/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Whether a text holds a secret of a project.  What a project's secrets are
 * looked for with is made from the store once and kept, in locked memory that
 * is wiped, until scanner_changed() says that it is old.  One thread.
 */
#pragma once

#include "secrets/store.h"

struct scanner;

enum {
	SCANNER_PROJECTS = 8,       /* kept; the one least used goes first */
	SCANNER_SECRETS_MAX = 1000, /* of one project */
	/* bytes; a shorter value may be a word that stands there by right */
	SCANNER_VALUE_MIN = 12,
	/* Of all kept projects, so that locked memory is left for those
	 * secrets that are on their way to a task.  A project with more is
	 * read anew at every scan. */
	SCANNER_PATTERNS_MAX = 100000
};

struct scanner *scanner_new(struct secret_store *store); /* borrowed */
void scanner_free(struct scanner *s);                    /* NULL is fine */

/*
 * ret  whether a secret of SCANNER_VALUE_MIN bytes or more was seen in text, in
 *      any encoding
 *
 * Fails with ERR_LIMIT for a project of more than SCANNER_SECRETS_MAX secrets,
 * and as secret_store_get() does: what cannot be read cannot be looked for.
 */
MUST_USE int scanner_hit(struct scanner *s, struct str project, struct str text,
			 bool *ret, struct err *e);

/* Before every change of a project's secrets, whether it succeeds or not. */
void scanner_changed(struct scanner *s, struct str project);

/* How many projects are kept, for tests. */
size_t scanner_kept(const struct scanner *s);
