/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Secrets of all kinds, and text like a log's (words, numbers, dates, hex,
 * base64, a colour here and there) with a secret about every 64 KiB.  The same
 * at each start.
 */
#pragma once

#include "base/buf.h"
#include "secrets/redact.h"

/* n of them; the values live as long as the program. */
void text_secrets(struct redact_secret *ret, size_t n);
/* At least len bytes onto the end of b; returns how many secrets are in it. */
size_t text_make(struct buf *b, size_t len, const struct redact_secret *secrets,
		 size_t n);
