/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Growing byte buffers, each born with a maximum.  A write past it fails and
 * the failure sticks: build first, check once.  Always NUL-terminated beyond
 * its length, so that data is a C string when no NUL was put in.
 */
#pragma once

#include "base/attr.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* NULL while empty */
	size_t len, cap, max;
	bool failed;
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})
#define CLEANUP_BUF       CLEANUP(buf_done)

void buf_done(struct buf *b);  /* frees; the buffer is empty again, max kept */
void buf_reset(struct buf *b); /* length 0, failure forgotten, memory kept */
void buf_wipe(struct buf *b);  /* overwrite, then free */
bool buf_put(struct buf *b, const void *p, size_t len);
bool buf_puts(struct buf *b, const char *cstr);
bool buf_str(struct buf *b, struct str s);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for len more bytes; NULL when that passes max.  Then buf_commit(). */
char *buf_room(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);
void buf_drop_front(struct buf *b, size_t len);
struct str buf_view(const struct buf *b);
const char *buf_cstr(struct buf *b); /* "" while empty */
char *buf_take(struct buf *b);       /* the caller owns it (mem_free) */
/* Append s as the inside of a JSON string (no quotes); bytes that are not
 * UTF-8 become U+FFFD. */
bool buf_json(struct buf *b, struct str s);
