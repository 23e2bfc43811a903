/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What may be written to a terminal, and how wide it is. */
#pragma once

#include "base/buf.h"

/*
 * Text that a task made, for a terminal.  Colours (SGR sequences) and tabs
 * stay; every other control, of C0, C1 and ESC, is shown as what it is (^[),
 * so that a log cannot move the cursor, rename the window or type answers.
 * What is not UTF-8 is shown as \xNN.  A line with a
 * colour ends with a reset.
 */
void term_text(struct str s, struct buf *out);
/* The same to standard output; as it is when that is no terminal. */
void term_put(struct str s);
unsigned term_columns(void); /* of standard output; 80 when it is none */
