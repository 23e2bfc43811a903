/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A record of the journal as bytes.  Pure; what opened under our key is still
 * read as if anybody could have written it. */
#pragma once

#include "base/wire.h"
#include "vault/journal.h"

enum {
	JOURNAL_RECORD_MAX = 12288 /* bytes */
};

/* Fails with ERR_LIMIT when a text is too long. */
MUST_USE int journal_record_encode(const struct journal_record *r,
				   struct wire_writer *w, struct err *e);
/* The token of a LOGIN is the caller's, in *ret_token (borrowed by ret too);
 * -1 when it is none. */
MUST_USE int journal_record_decode(const unsigned char *p, size_t len,
				   struct journal_record *ret,
				   struct secret **ret_token);
