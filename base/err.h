/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Errors as values on the caller's stack.  The code says what the caller can
 * do about it; the text says what happened and where.  Nothing allocates.
 */
#pragma once

#include "base/attr.h"
#include <stddef.h>

enum err_code {
	ERR_NONE = 0,
	ERR_INVALID,     /* the input is wrong: tell the user where */
	ERR_DENIED,      /* not allowed: do not retry */
	ERR_NOT_FOUND,   /* no such thing */
	ERR_CONFLICT,    /* wrong state, exists already */
	ERR_LIMIT,       /* a bound was reached: size, quota, disk */
	ERR_UNAVAILABLE, /* try again later */
	ERR_INTERNAL,    /* our fault, or the machine's */
	ERR_STALE,       /* what the caller has seen is not what is there */
	ERR_UNGUARDED,   /* the caller must say what it has seen */
};

enum {
	ERR_TEXT_MAX = 400
};

struct err {
	enum err_code code;
	int sys; /* errno at the place of failure, 0 when it means nothing */
	char text[ERR_TEXT_MAX];
};

/* Set *e and return -1, so that `return err_set(...)` reads well.  e may be
 * NULL.  The text is cut at ERR_TEXT_MAX - 1 bytes. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* The same, and append strerror(sys).  ENOSPC, EDQUOT and EMFILE turn the
 * code into ERR_LIMIT. */
int err_sys(struct err *e, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Put "context: " before the text that is there.  Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "invalid", "denied", ...: for logs and JSON. */
const char *err_code_name(enum err_code code);
