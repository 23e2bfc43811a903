/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Errors as values; see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[ERR_NONE] = "none",
	[ERR_INVALID] = "invalid",
	[ERR_DENIED] = "denied",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_CONFLICT] = "conflict",
	[ERR_LIMIT] = "limit",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_INTERNAL] = "internal",
	[ERR_STALE] = "stale",
	[ERR_UNGUARDED] = "unguarded",
};

static void put(struct err *e, const char *fmt, va_list ap)
{
	if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
		e->text[0] = '\0';
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->code = code;
	e->sys = 0;
	va_start(ap, fmt);
	put(e, fmt, ap);
	va_end(ap);
	return -1;
}

static void append(struct err *e, const char *text)
{
	size_t have = strlen(e->text);

	(void)snprintf(e->text + have, sizeof(e->text) - have, "%s", text);
}

int err_sys(struct err *e, int sys, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->sys = sys;
	e->code = sys == ENOSPC || sys == EDQUOT || sys == EMFILE ?
			  ERR_LIMIT :
			  ERR_INTERNAL;
	va_start(ap, fmt);
	put(e, fmt, ap);
	va_end(ap);
	append(e, ": ");
	append(e, strerrordesc_np(sys) ? strerrordesc_np(sys) : "unknown");
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	va_list ap;

	if (!e)
		return -1;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	put(e, fmt, ap);
	va_end(ap);
	append(e, ": ");
	append(e, old);
	return -1;
}

const char *err_code_name(enum err_code code)
{
	if ((size_t)code >= ARRAY_LEN(names))
		return "unknown";
	return names[code];
}
