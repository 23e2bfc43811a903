/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What libmicrohttpd lets pass and HTTP/1.1 (RFC 9112) does not: above all what
 * a proxy in front could read as another request than we do.
 */
#pragma once

#include "api/request.h"

/*
 * Before anything else is looked at.  An absolute target ("GET
 * http://host/path") becomes its path.
 *
 * line_ok  conform_line() of the request's target
 *
 * -1: answered, and the connection ends with it.
 */
MUST_USE int conform_check(struct request *r, const char *method,
			   const char *version, bool line_ok);

/* Is a target, as it came, made of what an URI may have? */
bool conform_line(const char *target);
