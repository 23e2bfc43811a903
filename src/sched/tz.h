/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Time zones from their compiled files (TZif, RFC 9636; tzdata installs them).
 * The C library knows one zone per process, so this reads them itself.  Bounded;
 * a zone never changes once it was read.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum {
	TZ_FILE_MAX = 64 * 1024,
	TZ_NAME_MAX = 60
};

struct tz;

/* The content of a file.  ERR_INVALID. */
MUST_USE int tz_parse(struct str file, struct tz **ret, struct err *e);
/* "Europe/Berlin", from the machine's zones; "UTC" needs no file.
 * ERR_NOT_FOUND. */
MUST_USE int tz_load(struct str name, struct tz **ret, struct err *e);
void tz_free(struct tz *z);
bool tz_name_ok(struct str name);

/* Seconds east of UTC at an instant (seconds since 1970). */
int32_t tz_offset(const struct tz *z, int64_t utc);
/*
 * The instant of a local time (seconds as if it were UTC): the first of two
 * where clocks are set back, the first instant after the gap where they are
 * set forward over it.
 */
int64_t tz_from_local(const struct tz *z, int64_t local);
