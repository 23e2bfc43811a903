/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Content that may be nobody's any more; see store.h. */
#include "base/fd.h"
#include "store/store.h"
#include "store/writer.h"

#include <stdio.h>

static int run_at(struct store *s, enum db_stmt what, int64_t now_us,
		  struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, what, &q, e))
		return -1;
	query_i64(&q, now_us);
	return query_run(&q, e);
}

int store_garbage_due(struct store *s, int64_t now_us, bool *ret, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_GARBAGE_DUE, &q, e))
		return -1;
	query_i64(&q, now_us);
	query_i64(&q, now_us);
	if (query_step(&q, e) < 0)
		return -1;
	*ret = query_get_i64(&q) != 0;
	return 0;
}

int store_expire(struct store *s, int64_t now_us, struct err *e)
{
	/* the content first: the second no longer tells which they were */
	return run_at(s, DB_EXPIRE_CONTENT, now_us, e) ||
			       run_at(s, DB_EXPIRE, now_us, e) ?
		       -1 :
		       0;
}

static int is_used(struct store *s, const char *sha256, bool *ret,
		   struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_CONTENT_USED, &q, e))
		return -1;
	query_str(&q, str_from(sha256));
	query_str(&q, str_from(sha256));
	query_str(&q, str_from(sha256));
	if (query_step(&q, e) < 0)
		return -1;
	*ret = query_get_i64(&q) != 0;
	return 0;
}

int store_garbage_next(struct store *s, int64_t now_us,
		       char ret_sha256[HASH_HEX_LEN + 1], bool *ret_used,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct str sha256;
	int r;

	if (query_start(&s->db, DB_GARBAGE_NEXT, &q, e))
		return -1;
	query_i64(&q, now_us);
	r = query_step(&q, e);
	if (r <= 0)
		return r;
	sha256 = query_get_str(&q);
	(void)snprintf(ret_sha256, HASH_HEX_LEN + 1, STR_FMT, STR_ARG(sha256));
	return is_used(s, ret_sha256, ret_used, e) ? -1 : 1;
}

int store_garbage_later(struct store *s, const char *sha256, int64_t due_us,
			struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_GARBAGE_PUT, &q, e))
		return -1;
	query_str(&q, str_from(sha256));
	query_i64(&q, due_us);
	return query_run(&q, e);
}

int store_garbage_done(struct store *s, const char *sha256, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_GARBAGE_DONE, &q, e))
		return -1;
	query_str(&q, str_from(sha256));
	return query_run(&q, e);
}
