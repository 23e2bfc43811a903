/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The canonical text of a reference to a secret, as secrets/ref.h has it: that
 * header is beside this layer, so the form is written here once more, and a
 * test parses what is written with it.  For src/job alone.
 */
#pragma once

#include "job/expr.h"

enum { /* as in secrets/ref.h */
	SECRET_PATH_MAX = 256,
	SECRET_FIELD_MAX = 128,
	SECRET_VALUE_MAX = 256,
	SECRET_PARAMS_MAX = 8,
	SECRET_TEXT_MAX = 1024,
};
#define SECRET_TTL_MAX_US ((uint64_t)365 * 86400 * 1000000)

/* As text of a reference: what is not plain is %XX; '/' too, but in paths. */
void job_ref_escaped(struct buf *b, struct str s, bool path);
/* Relative, of segments that are neither empty nor "." nor "..". */
bool job_secret_path_ok(struct str s);

/*
 * decl: an entry of the job's `secrets`.  Appended to b.  A ttl is the parameter
 * of that name, in seconds.  ERR_INVALID: what its expressions made is no
 * reference.
 */
MUST_USE int job_secret_ref(struct str project, const struct doc_node *decl,
			    const struct expr_context *c, struct buf *b,
			    struct err *e);
