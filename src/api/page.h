/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Lists in pages: newest first, each page from a row id on, or (few) by name.
 * The cursor is that id or name with a MAC over it and the question (path and filters), so that nobody
 * makes one up or takes one to another list.  Its key is a file of the server:
 * cursors survive a restart.
 */
#pragma once

#include "api/cursor.h"
#include "api/request.h"

enum {
	PAGE_LIMIT = 50,
	PAGE_LIMIT_MAX = 500
};

struct page {
	uint32_t limit;
	int64_t before;                  /* 0: from the newest */
	char after[CURSOR_NAME_MAX + 1]; /* of page_by_name; "": from the first
					  */
};

/* The key that cursors are made with, from the state directory. */
MUST_USE int page_key(struct api *a, struct err *e);
/* Read ?limit= and ?cursor=; -1: it was answered. */
MUST_USE int page_of(struct request *r, struct page *ret);
/* Answer with {"items":ITEMS,"next_cursor":...} and a Link.  b holds
 * {"items":[...]; next: 0 for the last page.  Takes b's bytes. */
int page_reply(struct request *r, struct buf *b, int64_t next);
/* The same of a list in the order of names; next: the last name of this page,
 * "" for the last page. */
MUST_USE int page_by_name(struct request *r, struct page *ret);
int page_reply_name(struct request *r, struct buf *b, struct str next);
