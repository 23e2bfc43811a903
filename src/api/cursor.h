/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The text of a cursor: a row's id or a name, and a MAC over it and the question
 * that it continues.  Pure. */
#pragma once

#include "base/buf.h"

enum {
	CURSOR_KEY_LEN = 32,
	CURSOR_NAME_MAX = 63, /* bytes of a name */
	CURSOR_TEXT_MAX = 104
};

void cursor_write(const unsigned char key[CURSOR_KEY_LEN], struct str question,
		  int64_t id, struct buf *b);
/* -1: nobody made it, or for another question. */
MUST_USE int cursor_parse(const unsigned char key[CURSOR_KEY_LEN],
			  struct str question, struct str text, int64_t *ret);

/* The same of a name, of a list that is in the order of them: a list has the
 * one kind or the other. */
void cursor_write_name(const unsigned char key[CURSOR_KEY_LEN],
		       struct str question, struct str name, struct buf *b);
MUST_USE int cursor_parse_name(const unsigned char key[CURSOR_KEY_LEN],
			       struct str question, struct str text,
			       char ret[CURSOR_NAME_MAX + 1]);
