/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Terms of the key-wrapping key, and the look at everything; see store.h. */
#include "secrets/store_internal.h"

enum {
	REWRAP_MAX = 1024 /* secrets in one transaction */
};

int secret_store_rotate(struct secret_store *s, uint64_t *ret_term,
			struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};

	if (sstore_tx_begin(s, &tx, e))
		return -1;
	tx.term++;
	if (sstore_tx_commit(&tx, e))
		return -1;
	*ret_term = s->term;
	return 0;
}

/* Paths of secrets whose head was written in an older term. */
static int old_heads(struct secret_store *s, struct hash *ret, size_t max,
		     size_t *ret_n, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	size_t n = 0;
	int row;

	if (ssql_start(&s->sql, SSQL_HEADS_OLD, &q, e))
		return -1;
	ssql_u64(&q, s->term);
	ssql_u64(&q, max);
	while ((row = ssql_step(&q, e)) > 0 && n < max)
		ssql_get_blob(&q, ret[n++].b, HASH_LEN);
	if (row < 0)
		return -1;
	*ret_n = n;
	return q.bad ? sstore_damaged("the form of a head", e) : 0;
}

int sstore_count_old(struct secret_store *s, uint64_t *ret, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (ssql_start(&s->sql, SSQL_HEADS_OLD_COUNT, &q, e))
		return -1;
	ssql_u64(&q, s->term);
	if (ssql_step(&q, e) <= 0)
		return -1;
	*ret = ssql_get_u64(&q);
	return 0;
}

/* How many are left after n more; counting them all costs as much as a slice, so
 * it is done at the beginning, and in doubt. */
static int count_left(struct secret_store *s, size_t n, bool all, uint64_t *ret,
		      struct err *e)
{
	if (all) {
		s->old_left = 0;
	} else if (s->old_known && s->old_left > n) {
		s->old_left -= n;
	} else if (sstore_count_old(s, &s->old_left, e)) {
		s->old_known = false;
		return -1;
	}
	s->old_known = s->old_left > 0;
	*ret = s->old_left;
	return 0;
}

static int rewrap_one(struct sstore_tx *tx, const struct hash *path,
		      struct err *e)
{
	struct secret_store *s = tx->s;
	struct sstore_versions rows;
	struct sstore_head h;

	if (sstore_head_get(s, path, &h, &rows, e))
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (rows.v[i].wrap_term != s->term &&
		    sstore_value_rewrap(s, &h, &rows.v[i], e))
			return -1;
	}
	return sstore_head_rewrapped(s, &h, &rows, e);
}

/* Nothing is wrapped in its terms any more. */
static int drop_old_root(struct secret_store *s, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};

	if (sstore_tx_begin(s, &tx, e) || sstore_manifest_check(s, e) ||
	    sstore_old_root_drop(s, e))
		return -1;
	tx.side = true;
	if (sstore_tx_commit(&tx, e))
		return -1;
	sstore_old_root_forget(s);
	return ssql_run(&s->sql, SSQL_CHECKPOINT, e);
}

int secret_store_rewrap(struct secret_store *s, unsigned max_secrets,
			uint64_t *ret_left, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};
	struct hash paths[REWRAP_MAX];
	uint64_t left;
	size_t n = 0;

	if (max_secrets > REWRAP_MAX)
		max_secrets = REWRAP_MAX;
	if (sstore_tx_begin(s, &tx, e) ||
	    old_heads(s, paths, max_secrets, &n, e))
		return -1;
	/* All buckets are compared before the first of them changes. */
	for (size_t i = 0; i < n; i++) {
		if (sstore_tx_touch(&tx, &paths[i], e))
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (rewrap_one(&tx, &paths[i], e))
			return -1;
	}
	if (n && sstore_tx_commit(&tx, e))
		return -1;
	sstore_tx_done(&tx);
	if (count_left(s, n, n < max_secrets, &left, e))
		return -1;
	if (!left && s->root_from && drop_old_root(s, e))
		return -1;
	/* What the keys were wrapped in before goes from the log, too. */
	if (!left && n && ssql_run(&s->sql, SSQL_CHECKPOINT, e))
		return -1;
	*ret_left = left;
	return 0;
}

/* --- verify -------------------------------------------------------------- */

static int verify_one(struct secret_store *s, const struct hash *path,
		      struct err *e)
{
	struct sstore_versions rows;
	struct sstore_head h;

	if (sstore_head_get(s, path, &h, &rows, e))
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		struct secret *value = NULL;

		if (sstore_value_open(s, &h, &rows.v[i], &value, e))
			return -1;
		secret_free(value);
	}
	return 0;
}

static int no_orphans(struct secret_store *s, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (ssql_start(&s->sql, SSQL_VERSION_ORPHANS, &q, e))
		return -1;
	if (ssql_step(&q, e) <= 0)
		return -1;
	if (ssql_get_u64(&q))
		return sstore_damaged("versions of no secret", e);
	return 0;
}

int secret_store_verify(struct secret_store *s, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct sstore_head h;
	int row;

	if (sstore_manifest_check(s, e) || no_orphans(s, e) ||
	    ssql_start(&s->sql, SSQL_HEADS, &q, e))
		return -1;
	while ((row = ssql_step(&q, e)) > 0) {
		if (sstore_head_read(s, &q, &h, e) || verify_one(s, &h.path, e))
			return -1;
	}
	return row;
}
