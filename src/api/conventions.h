/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What holds for every route alike, from what the table says of it: which
 * query parameters there are (400), what it can answer with (406), what it
 * takes (415), and by what name an answer is found again.
 */
#pragma once

#include "api/request.h"

/* Everything about the head of a request that may be refused before its body
 * is read; -1: it was answered. */
MUST_USE int conventions_check(struct request *r);
/* The id that answers and logs name: the client's where it is sane, ours. */
void conventions_id(struct request *r);

/* One answer in JSON, with an ETag made of it: 304 where If-None-Match names
 * it already.  Takes b's bytes. */
int reply_view(struct request *r, struct buf *b);
/* The same with a tag that is known already. */
int reply_view_tagged(struct request *r, struct buf *b, const char *tag);
enum {
	VIEW_TAG_MAX = 24
};
/* Weak: the same words, whatever their coding. */
void view_tag(struct str body, char out[VIEW_TAG_MAX]);
