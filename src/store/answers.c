/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Answers that are kept for who asks again with the same key; they share the
 * table, and so the names, with the keys of runs. */
#include "store/writer.h"

#include <string.h>

int store_answer_get(struct store *s, struct str who, struct str key,
		     store_answer_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_answer a = {0};
	struct str request;
	int r;

	if (query_start(&s->db, DB_ANSWER_GET, &q, e))
		return -1;
	query_str(&q, who);
	query_str(&q, key);
	r = query_step(&q, e);
	if (r <= 0)
		return r;
	request = query_get_str(&q);
	a.status = (unsigned)query_get_i64(&q);
	a.location = query_get_str(&q);
	a.etag = query_get_str(&q);
	a.body = query_get_str(&q);
	if (request.len != HASH_LEN)
		return err_set(e, ERR_INTERNAL, "a key's row is odd");
	memcpy(a.request.b, request.p, HASH_LEN);
	return fn(ctx, &a, e) ? -1 : 1;
}

int store_answer_put(struct store *s, struct str who, struct str key,
		     const struct store_answer *a, int64_t now_us,
		     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_ANSWER_PUT, &q, e))
		return -1;
	query_str(&q, who);
	query_str(&q, key);
	query_blob(&q, a->request.b, HASH_LEN);
	query_i64(&q, now_us);
	query_i64(&q, a->status);
	query_str(&q, a->location);
	query_str(&q, a->etag);
	query_str(&q, a->body);
	return query_run(&q, e);
}
