/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Lists in pages: newest first, each page from a row id on.  The cursor is that
 * id with a MAC over it and the path, so that nobody makes one up or takes one
 * to another list.
 */
#pragma once

#include "api/request.h"

enum {
	PAGE_LIMIT = 50,
	PAGE_LIMIT_MAX = 500
};

struct page {
	uint32_t limit;
	int64_t before; /* 0: from the newest */
};

/* Read ?limit= and ?cursor=; -1: it was answered. */
MUST_USE int page_of(struct request *r, struct page *ret);
/* Answer with {"items":ITEMS,"next_cursor":...} and a Link.  b holds
 * {"items":[...]; next: 0 for the last page.  Takes b's bytes. */
int page_reply(struct request *r, struct buf *b, int64_t next);
