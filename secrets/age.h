/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Files of age (C2SP, https://c2sp.org/age, "age-encryption.org/v1") for
 * X25519 recipients: what goes out of the store and comes into it in one piece.
 * Texts are sealed and opened in chunks of 64 KiB, so that no more than one of
 * them is in memory in the clear, and that is guarded.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "secrets/curve.h"

enum {
	AGE_RECIPIENT_TEXT_MAX = 64, /* "age1...", 62 letters */
	AGE_HEADER_MAX = 16 << 10    /* bytes of a file's header */
};

/* ERR_INVALID for what is no recipient of age. */
MUST_USE int age_recipient_parse(struct str text,
				 unsigned char ret[X25519_PUBLIC_LEN],
				 struct err *e);
void age_recipient_format(const unsigned char *public_key,
			  char ret[AGE_RECIPIENT_TEXT_MAX]);

struct age_writer;

/* out is borrowed and gets the file.  ERR_INTERNAL; ERR_INVALID for a recipient
 * with which everybody could read it. */
MUST_USE int age_writer_new(const unsigned char *recipient, struct buf *out,
			    struct age_writer **ret, struct err *e);
/* ERR_LIMIT when out is full. */
MUST_USE int age_write(struct age_writer *w, const void *p, size_t len,
		       struct err *e);
MUST_USE int age_writer_end(struct age_writer *w, struct err *e);
void age_writer_free(struct age_writer *w); /* NULL is fine */

/* Some of the text, in order; it is wiped after the call.  -1 ends it. */
typedef int age_text_fn(void *ctx, struct str text, struct err *e);

/*
 * Open a file with the private key.  What fn gets is authentic, but only when
 * this returns 0 was it all of the file.
 *
 * Fails with ERR_INVALID for what is no such file or was cut or changed,
 * ERR_DENIED when it is for other recipients, and as fn does.
 */
MUST_USE int age_open(const unsigned char *private_key, struct str file,
		      age_text_fn *fn, void *ctx, struct err *e);
