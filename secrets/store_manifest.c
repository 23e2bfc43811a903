/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The manifest of the secret store, and the transaction that keeps it true.
 * Its digest is over 4096 buckets of heads (by the first bits of the path), so
 * that a change, or a look at one, hashes one bucket, not all heads.  The buckets' digests are
 * held in memory: what they were when the store was opened or last changed.
 */
#include "secrets/store_internal.h"

#include <string.h>

/* What the manifest stands for; format 1 knew the heads alone. */
static struct hash digest_of(unsigned format, const struct hash *buckets,
			     const struct hash *side)
{
	struct hash_ctx *c = hash_begin();

	hash_update(c, buckets,
		    (format > 1 ? SSTORE_BUCKETS : SSTORE_BUCKETS_OLD) *
			    sizeof(*buckets));
	if (format > 1)
		hash_update(c, side, sizeof(*side));
	return hash_end(c);
}

static int side_digest(struct secret_store *s, struct hash *ret, struct err *e)
{
	struct hash_ctx *c = hash_begin();
	int rc = sstore_slots_digest(s, c, e);

	if (!rc)
		rc = sstore_keyring_digest(s, c, e);
	*ret = hash_end(c);
	return rc;
}

struct manifest {
	unsigned char uuid[SSTORE_UUID_LEN];
	int64_t created_us;
	uint64_t term, epoch;
	struct hash digest, mac;
};

static int manifest_mac(struct secret_store *s, unsigned format,
			const struct manifest *m, struct hash *ret,
			struct err *e)
{
	struct tlv t;

	tlv_start(&t, "nfo-manifest-v1", m->uuid);
	tlv_u64(&t, TLV_SCHEMA, format);
	tlv_u64(&t, TLV_CREATED, (uint64_t)m->created_us);
	tlv_u64(&t, TLV_TERM, m->term);
	tlv_u64(&t, TLV_EPOCH, m->epoch);
	tlv_put(&t, TLV_DIGEST, m->digest.b, HASH_LEN);
	return sstore_mac(s, m->term, &t, ret, e);
}

static int manifest_get(struct secret_store *s, struct manifest *m,
			struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	int row;

	if (ssql_start(&s->sql, SSQL_MANIFEST_GET, &q, e))
		return -1;
	row = ssql_step(&q, e);
	if (row <= 0)
		return row ? -1 : sstore_damaged("no manifest", e);
	ssql_get_blob(&q, m->uuid, sizeof(m->uuid));
	m->created_us = ssql_get_i64(&q);
	m->term = ssql_get_u64(&q);
	m->epoch = ssql_get_u64(&q);
	ssql_get_blob(&q, m->digest.b, HASH_LEN);
	ssql_get_blob(&q, m->mac.b, HASH_LEN);
	if (q.bad || !m->term || !m->epoch)
		return sstore_damaged("the form of the manifest", e);
	return 0;
}

int sstore_manifest_read(struct secret_store *s, struct err *e)
{
	struct manifest m;

	if (manifest_get(s, &m, e))
		return -1;
	memcpy(s->uuid, m.uuid, sizeof(m.uuid));
	s->created_us = m.created_us;
	s->term = m.term;
	s->epoch = m.epoch;
	return 0;
}

static unsigned bucket_of(unsigned format, const struct hash *path)
{
	unsigned first = path->b[0];

	return format > 1 ? first << 4 | path->b[1] >> 4 : first;
}

/* Every head, in the order of the paths. */
static int load_buckets(struct secret_store *s, unsigned format, struct err *e)
{
	unsigned n = format > 1 ? SSTORE_BUCKETS : SSTORE_BUCKETS_OLD;
	struct ssql_query q CLEANUP_SSQL = {0};
	struct hash_ctx *c = hash_begin();
	struct sstore_head h;
	unsigned at = 0;
	int row = ssql_start(&s->sql, SSQL_HEADS, &q, e);

	s->n_heads = 0;
	while (!row && (row = ssql_step(&q, e)) > 0) {
		row = sstore_head_read(s, &q, &h, e);
		if (row)
			break;
		for (; at < bucket_of(format, &h.path); at++) {
			s->buckets[at] = hash_end(c);
			c = hash_begin();
		}
		hash_update(c, h.path.b, HASH_LEN);
		hash_update(c, h.mac.b, HASH_LEN);
		s->n_heads++;
	}
	for (; at < n; at++) {
		s->buckets[at] = hash_end(c);
		c = hash_begin();
	}
	(void)hash_end(c);
	return row;
}

/* The same as in memory, and authentic. */
static int manifest_same(struct secret_store *s, struct hash *ret_digest,
			 struct err *e)
{
	struct manifest m;
	struct hash mac;

	if (manifest_get(s, &m, e) || manifest_mac(s, s->format, &m, &mac, e))
		return -1;
	if (!hash_eq(&m.mac, &mac) || m.term != s->term ||
	    m.epoch != s->epoch || memcmp(m.uuid, s->uuid, sizeof(m.uuid)))
		return sstore_damaged("the manifest", e);
	*ret_digest = m.digest;
	return 0;
}

/* An old one is believed if its MAC is right; a newer store's old manifest
 * has an old epoch. */
static int find_format(struct secret_store *s, struct hash *ret_digest,
		       struct err *e)
{
	s->format = SSTORE_MANIFEST;
	if (!manifest_same(s, ret_digest, e))
		return 0;
	s->format = 1;
	return manifest_same(s, ret_digest, e);
}

int sstore_manifest_load(struct secret_store *s, struct err *e)
{
	struct hash digest, expected;

	if (find_format(s, &digest, e) || load_buckets(s, s->format, e) ||
	    side_digest(s, &s->side, e))
		return -1;
	expected = digest_of(s->format, s->buckets, &s->side);
	if (!hash_eq(&digest, &expected))
		return sstore_damaged("its secrets or slots are not those "
				      "of the manifest: removed, added or put "
				      "back",
				      e);
	/* From here on by the buckets of the format that is written. */
	return s->format == SSTORE_MANIFEST ?
		       0 :
		       load_buckets(s, SSTORE_MANIFEST, e);
}

/* --- one bucket ---------------------------------------------------------- */

static int bucket_digest(struct secret_store *s, unsigned which,
			 struct hash *ret, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	unsigned char first[2], last[HASH_LEN + 1];
	struct hash path, mac;
	struct hash_ctx *c;
	int row;

	memset(last, 0xff, sizeof(last));
	first[0] = last[0] = (unsigned char)(which >> 4);
	first[1] = (unsigned char)(which << 4 & 0xff);
	last[1] = first[1] | 0x0f;
	if (ssql_start(&s->sql, SSQL_HEAD_BUCKET, &q, e))
		return -1;
	ssql_blob(&q, first, sizeof(first));
	ssql_blob(&q, last, sizeof(last));
	c = hash_begin();
	while ((row = ssql_step(&q, e)) > 0) {
		ssql_get_blob(&q, path.b, HASH_LEN);
		ssql_get_blob(&q, mac.b, HASH_LEN);
		if (q.bad) {
			row = sstore_damaged("the form of a head", e);
			break;
		}
		hash_update(c, path.b, HASH_LEN);
		hash_update(c, mac.b, HASH_LEN);
	}
	*ret = hash_end(c);
	return row;
}

int sstore_bucket_check(struct secret_store *s, const struct hash *path,
			struct err *e)
{
	unsigned which = bucket_of(SSTORE_MANIFEST, path);
	struct hash now;

	if (bucket_digest(s, which, &now, e))
		return -1;
	if (!hash_eq(&now, &s->buckets[which]))
		return sstore_damaged("it was changed behind our back", e);
	return 0;
}

int sstore_manifest_check(struct secret_store *s, struct err *e)
{
	struct hash digest, side;
	struct hash expected = digest_of(s->format, s->buckets, &s->side);

	if (manifest_same(s, &digest, e) || side_digest(s, &side, e))
		return -1;
	if (!hash_eq(&digest, &expected))
		return sstore_damaged("the manifest", e);
	if (!hash_eq(&side, &s->side))
		return sstore_damaged("its slots", e);
	for (unsigned i = 0; i < SSTORE_BUCKETS; i++) {
		struct hash path = {
			{(unsigned char)(i >> 4),
			 (unsigned char)(i << 4 & 0xff)}
                };

		if (sstore_bucket_check(s, &path, e))
			return -1;
	}
	return 0;
}

/* --- transactions -------------------------------------------------------- */

int sstore_tx_begin(struct secret_store *s, struct sstore_tx *tx, struct err *e)
{
	/* At most one change may be missing outside the database. */
	if (s->epoch_stale && sstore_epoch_write(s, e))
		return err_wrap(e, "no change until the epoch is recorded");
	*tx = (struct sstore_tx){
		.s = s, .term = s->term, .n_heads = s->n_heads};
	if (ssql_run(&s->sql, SSQL_BEGIN, e))
		return -1;
	tx->open = true;
	return 0;
}

int sstore_tx_touch(struct sstore_tx *tx, const struct hash *path,
		    struct err *e)
{
	unsigned which = bucket_of(SSTORE_MANIFEST, path);

	if (tx->touched[which])
		return 0;
	tx->touched[which] = true;
	return sstore_bucket_check(tx->s, path, e);
}

void sstore_tx_done(struct sstore_tx *tx)
{
	struct err ignored;

	if (!tx->open)
		return;
	tx->open = false;
	/* After some failures SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(tx->s->sql.lite) &&
	    ssql_run(&tx->s->sql, SSQL_ROLLBACK, &ignored))
		return; /* the next BEGIN fails, and says so */
}

static int write_manifest(struct sstore_tx *tx, const struct hash *digest,
			  struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct secret_store *s = tx->s;
	struct manifest m = {
		.created_us = s->created_us,
		.term = tx->term,
		.epoch = s->epoch + 1,
		.digest = *digest,
	};

	memcpy(m.uuid, s->uuid, sizeof(m.uuid));
	if (manifest_mac(s, SSTORE_MANIFEST, &m, &m.mac, e) ||
	    ssql_start(&s->sql, SSQL_MANIFEST_PUT, &q, e))
		return -1;
	ssql_blob(&q, m.uuid, sizeof(m.uuid));
	ssql_i64(&q, m.created_us);
	ssql_u64(&q, m.term);
	ssql_u64(&q, m.epoch);
	ssql_blob(&q, m.digest.b, HASH_LEN);
	ssql_blob(&q, m.mac.b, HASH_LEN);
	return ssql_step(&q, e);
}

/*
 * First the database, then the epoch file: a crash between leaves the
 * database one ahead, which is no rollback.
 */
int sstore_tx_commit(struct sstore_tx *tx, struct err *e)
{
	struct secret_store *s = tx->s;
	struct hash buckets[SSTORE_BUCKETS], digest, side = s->side;
	struct err later;

	memcpy(buckets, s->buckets, sizeof(buckets));
	for (unsigned i = 0; i < SSTORE_BUCKETS; i++) {
		if (tx->touched[i] && bucket_digest(s, i, &buckets[i], e))
			return -1;
	}
	if (tx->side && side_digest(s, &side, e))
		return -1;
	digest = digest_of(SSTORE_MANIFEST, buckets, &side);
	if (write_manifest(tx, &digest, e) || ssql_run(&s->sql, SSQL_COMMIT, e))
		return -1;
	tx->open = false;
	memcpy(s->buckets, buckets, sizeof(buckets));
	s->side = side;
	s->format = SSTORE_MANIFEST;
	s->term = tx->term;
	s->n_heads = tx->n_heads;
	s->epoch++;
	/* The change is made whatever comes of this; see epoch_stale. */
	if (!tx->making && sstore_epoch_write(s, &later))
		s->epoch_stale = true;
	return 0;
}
