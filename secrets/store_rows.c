/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Heads and version rows of the secret store: read, compare, MAC, write. */
#include "secrets/store_internal.h"

int sstore_damaged(const char *what, struct err *e)
{
	return err_set(e, ERR_INTERNAL, "the secret store is damaged: %s",
		       what);
}

static int head_mac(struct secret_store *s, const struct sstore_head *h,
		    struct hash *ret, struct err *e)
{
	struct tlv t;

	tlv_start(&t, "nfo-head-v1", s->uuid);
	tlv_put(&t, TLV_PATH, h->path.b, HASH_LEN);
	tlv_str(&t, TLV_PROJECT, h->project);
	tlv_str(&t, TLV_NAME, h->name);
	tlv_u64(&t, TLV_CURRENT, h->current);
	tlv_u64(&t, TLV_COUNT, h->n_versions);
	tlv_u64(&t, TLV_FLAGS, h->flags);
	tlv_u64(&t, TLV_CREATED, (uint64_t)h->created_us);
	tlv_u64(&t, TLV_UPDATED, (uint64_t)h->updated_us);
	tlv_u64(&t, TLV_TERM, h->term);
	tlv_put(&t, TLV_DIGEST, h->digest.b, HASH_LEN);
	/* Left out where they are not set: stores had none once. */
	if (h->description[0])
		tlv_str(&t, TLV_DESCRIPTION, h->description);
	if (h->keep)
		tlv_u64(&t, TLV_KEEP, h->keep);
	return sstore_mac(s, h->term, &t, ret, e);
}

int sstore_head_read(struct secret_store *s, struct ssql_query *q,
		     struct sstore_head *ret, struct err *e)
{
	struct hash mac, path;
	struct sstore_head h;

	ssql_get_blob(q, h.path.b, HASH_LEN);
	ssql_get_text(q, h.project, SECRET_STORE_NAME_MAX);
	ssql_get_text(q, h.name, SECRET_STORE_NAME_MAX);
	h.current = ssql_get_u64(q);
	h.n_versions = ssql_get_u64(q);
	h.flags = ssql_get_u64(q);
	h.created_us = ssql_get_i64(q);
	h.updated_us = ssql_get_i64(q);
	h.term = ssql_get_u64(q);
	ssql_get_blob(q, h.digest.b, HASH_LEN);
	ssql_get_blob(q, h.mac.b, HASH_LEN);
	ssql_get_text(q, h.description, SECRET_STORE_DESCRIPTION_MAX);
	h.keep = ssql_get_u64(q);
	if (q->bad)
		return sstore_damaged("the form of a head", e);
	path = sstore_path(s, str_from(h.project), str_from(h.name));
	if (head_mac(s, &h, &mac, e))
		return -1;
	if (!hash_eq(&mac, &h.mac) || !hash_eq(&path, &h.path) ||
	    h.term > s->term)
		return sstore_damaged("the head of a secret", e);
	*ret = h;
	return 0;
}

static void version_update(struct hash_ctx *c, const struct sstore_version *v)
{
	struct tlv t = {0};

	tlv_u64(&t, TLV_VERSION, v->version);
	tlv_u64(&t, TLV_CREATED, (uint64_t)v->created_us);
	tlv_u64(&t, TLV_TYPE, v->type);
	tlv_u64(&t, TLV_FLAGS, v->flags);
	tlv_u64(&t, TLV_TERM, v->term);
	tlv_put(&t, TLV_DEK_ID, v->dek_id, sizeof(v->dek_id));
	tlv_u64(&t, TLV_WRAP_TERM, v->wrap_term);
	tlv_put(&t, TLV_NONCE, v->wrap_nonce, sizeof(v->wrap_nonce));
	tlv_put(&t, TLV_WRAP, v->wrap, sizeof(v->wrap));
	tlv_put(&t, TLV_TAG, v->tag, sizeof(v->tag));
	hash_update(c, t.b, t.len);
}

static int version_read(struct ssql_query *q, struct sstore_version *ret,
			struct err *e)
{
	ret->version = ssql_get_u64(q);
	ret->created_us = ssql_get_i64(q);
	ret->type = ssql_get_u64(q);
	ret->flags = ssql_get_u64(q);
	ret->term = ssql_get_u64(q);
	ssql_get_blob(q, ret->dek_id, sizeof(ret->dek_id));
	ret->wrap_term = ssql_get_u64(q);
	ssql_get_blob(q, ret->wrap_nonce, sizeof(ret->wrap_nonce));
	ssql_get_blob(q, ret->wrap, sizeof(ret->wrap));
	ssql_get_blob(q, ret->tag, sizeof(ret->tag));
	return q->bad ? sstore_damaged("the form of a version", e) : 0;
}

static int versions_get(struct secret_store *s, const struct hash *path,
			struct sstore_versions *ret, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	int row;

	ret->n = 0;
	if (ssql_start(&s->sql, SSQL_VERSIONS, &q, e))
		return -1;
	ssql_blob(&q, path->b, HASH_LEN);
	while ((row = ssql_step(&q, e)) > 0) {
		if (ret->n == SECRET_STORE_VERSIONS_MAX)
			return sstore_damaged("too many versions", e);
		if (version_read(&q, &ret->v[ret->n++], e))
			return -1;
	}
	return row;
}

static struct hash versions_digest(const struct sstore_versions *rows)
{
	struct hash_ctx *c = hash_begin();

	for (size_t i = 0; i < rows->n; i++)
		version_update(c, &rows->v[i]);
	return hash_end(c);
}

int sstore_head_get(struct secret_store *s, const struct hash *path,
		    struct sstore_head *ret, struct sstore_versions *ret_rows,
		    struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct sstore_head h;
	struct hash digest;
	int row;

	if (ssql_start(&s->sql, SSQL_HEAD_GET, &q, e))
		return -1;
	ssql_blob(&q, path->b, HASH_LEN);
	row = ssql_step(&q, e);
	if (row < 0)
		return -1;
	if (!row)
		return err_set(e, ERR_NOT_FOUND, "no such secret");
	if (sstore_head_read(s, &q, &h, e) ||
	    versions_get(s, path, ret_rows, e))
		return -1;
	digest = versions_digest(ret_rows);
	if (!hash_eq(&digest, &h.digest) || ret_rows->n != h.n_versions)
		return sstore_damaged("the versions of a secret", e);
	*ret = h;
	return 0;
}

int sstore_head_put(struct secret_store *s, struct sstore_head *h,
		    struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct sstore_versions rows;

	if (versions_get(s, &h->path, &rows, e))
		return -1;
	h->term = s->term;
	h->n_versions = rows.n;
	h->digest = versions_digest(&rows);
	if (head_mac(s, h, &h->mac, e) ||
	    ssql_start(&s->sql, SSQL_HEAD_PUT, &q, e))
		return -1;
	ssql_blob(&q, h->path.b, HASH_LEN);
	ssql_text(&q, h->project);
	ssql_text(&q, h->name);
	ssql_u64(&q, h->current);
	ssql_u64(&q, h->n_versions);
	ssql_u64(&q, h->flags);
	ssql_i64(&q, h->created_us);
	ssql_i64(&q, h->updated_us);
	ssql_u64(&q, h->term);
	ssql_blob(&q, h->digest.b, HASH_LEN);
	ssql_blob(&q, h->mac.b, HASH_LEN);
	ssql_text(&q, h->description);
	ssql_u64(&q, h->keep);
	return ssql_step(&q, e);
}

int sstore_head_rewrapped(struct secret_store *s, struct sstore_head *h,
			  const struct sstore_versions *rows, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	h->term = s->term;
	h->digest = versions_digest(rows);
	if (head_mac(s, h, &h->mac, e) ||
	    ssql_start(&s->sql, SSQL_HEAD_REWRAP, &q, e))
		return -1;
	ssql_u64(&q, h->term);
	ssql_blob(&q, h->digest.b, HASH_LEN);
	ssql_blob(&q, h->mac.b, HASH_LEN);
	ssql_blob(&q, h->path.b, HASH_LEN);
	return ssql_step(&q, e);
}
