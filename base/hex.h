/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hexadecimal, percent-encoding, base64 (RFC 4648, with padding) and base64url
 * (without). */
#pragma once

#include "base/buf.h"

void hex_encode(const void *p, size_t len, char *out);        /* 2*len + NUL */
MUST_USE int hex_decode(struct str s, void *out, size_t len); /* exactly len */
/* For one segment of a path, or a value of a query: %XX for what is not
 * unreserved (RFC 3986), "@" or ",". */
bool percent_encode(struct buf *b, struct str s);
/* %XX in place; -1 for a bad one, and for control characters. */
MUST_USE int percent_decode(char *p, size_t *len);
bool b64_encode(struct buf *b, const void *p, size_t len);
bool b64url_encode(struct buf *b, const void *p, size_t len);
/* Standard alphabet; white space allowed, anything else is -1. */
MUST_USE int b64_decode(struct str s, struct buf *b);
MUST_USE int b64url_decode(struct str s, struct buf *b);
