/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Text that may leave a task: the redactor has been over it, or it never was
 * near a secret.  Every sink of the runner (log, result, names of what it
 * leaves) takes this type and no other, so that what was not looked at does
 * not compile.  A lint test knows who may make one, and why.
 */
#pragma once

#include "base/str.h"

#include <string.h>

struct redacted_str {
	struct str clean; /* borrowed, as any struct str; read only */
};

/* For the redactor, and for those few that read back what it made. */
static inline struct redacted_str redacted_vouch(struct str s)
{
	return (struct redacted_str){s};
}

/* Text of our own, written here in the source. */
#define REDACTED(literal) redacted_vouch(STR("" literal))

/* The same text at another place, which has room for it. */
static inline struct redacted_str redacted_copy(char *room,
						struct redacted_str s)
{
	if (s.clean.len)
		memcpy(room, s.clean.p, s.clean.len);
	return redacted_vouch(str_n(room, s.clean.len));
}
