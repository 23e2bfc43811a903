/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What headers say of media types and of versions.  Pure. */
#pragma once

#include "base/str.h"

#include <stddef.h>

/*
 * Which of these does Accept (RFC 9110) like most?  The first wins among equals
 * and when there is no Accept.  -1: none of them is acceptable.
 */
int accept_pick(struct str accept, const char *const *types, size_t n);
/* Does a list of entity tags (If-Match, If-None-Match) name this one, "*" any?
 * tag: with its quotes, strong. */
bool etag_in(struct str list, struct str tag);
/* The same for If-None-Match: weak tags count as well. */
bool etag_weakly_in(struct str list, struct str tag);

enum coding {
	CODING_NONE,
	CODING_GZIP,
	CODING_ZSTD
};
/* What Accept-Encoding likes most of these; zstd among equals. */
enum coding coding_pick(struct str accept);
const char *coding_name(enum coding c);
