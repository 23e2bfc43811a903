/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A terminal that shows one picture at a time, and keys without Enter.  It is
 * put back as it was when the program leaves, also by an interrupt.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct screen {
	unsigned columns, lines;
};

MUST_USE int screen_begin(struct err *e);
void screen_end(void);
/* Its size as it is now. */
struct screen screen_now(void);
/* Lines of at most the screen's width, in place of what stood there; beyond
 * its height they are left out.  Colours count for nothing. */
void screen_draw(struct str picture);
/* A key within timeout_ms; 0: none came; -1: an interrupt, or no input any
 * more; '\f': the size has changed. */
int screen_key(int timeout_ms);
/* Appends s cut to, or filled with spaces up to, so many characters. */
void screen_cell(struct buf *b, struct str s, size_t width);
