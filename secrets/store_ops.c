/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Put, get, list, delete and remove; see store.h. */
#include <string.h>

#include "base/clock.h"
#include "secrets/ref.h"
#include "secrets/store_internal.h"

/* What a call is about: the secret and its rows, compared. */
struct found {
	struct hash path;
	struct sstore_head h;
	struct sstore_versions rows;
};

static int check_project(struct str project, struct err *e)
{
	if (!secret_name_valid(project) && !str_is(project, SECRET_STORE_OWN))
		return err_set(e, ERR_INVALID, "not the name of a project");
	return 0;
}

static int check_names(struct str project, struct str name, struct err *e)
{
	if (check_project(project, e))
		return -1;
	if (!secret_name_valid(name))
		return err_set(e, ERR_INVALID,
			       "not the name of a secret: "
			       "[a-z][a-z0-9_-]{0,62}");
	return 0;
}

/* ERR_NOT_FOUND for what never was; a removed secret has no rows. */
static int find(struct secret_store *s, struct str project, struct str name,
		struct found *f, struct err *e)
{
	if (check_names(project, name, e))
		return -1;
	f->path = sstore_path(s, project, name);
	if (sstore_bucket_check(s, &f->path, e))
		return -1;
	return sstore_head_get(s, &f->path, &f->h, &f->rows, e);
}

static int pick(struct found *f, uint64_t version, struct sstore_version **ret,
		struct err *e)
{
	if (!version)
		version = f->h.current;
	for (size_t i = 0; i < f->rows.n; i++) {
		if (f->rows.v[i].version == version) {
			*ret = &f->rows.v[i];
			return 0;
		}
	}
	return err_set(e, ERR_NOT_FOUND,
		       version && version <= f->h.current ?
			       "version %llu of this secret is destroyed" :
			       "no version %llu of this secret",
		       (unsigned long long)version);
}

static void describe(const struct sstore_version *v, struct secret_version *ret)
{
	*ret = (struct secret_version){
		.version = v->version,
		.created_us = v->created_us,
		.type = (enum secret_value_type)v->type,
		.deleted = v->flags & SSTORE_DELETED,
	};
}

static void describe_head(const struct sstore_head *h, struct secret_meta *ret)
{
	*ret = (struct secret_meta){
		.current = h->current,
		.versions = (unsigned)h->n_versions,
		.deleted = h->flags & SSTORE_DELETED,
		.created_us = h->created_us,
		.updated_us = h->updated_us,
	};
	ret->keep = (unsigned)h->keep;
	memcpy(ret->description, h->description, sizeof(h->description));
	memcpy(ret->project, h->project, sizeof(h->project));
	memcpy(ret->name, h->name, sizeof(h->name));
}

/* --- reading ------------------------------------------------------------- */

int secret_store_get(struct secret_store *s, struct str project,
		     struct str name, uint64_t version, struct secret **ret,
		     struct secret_version *ret_is, struct err *e)
{
	struct sstore_version *v = NULL;
	struct found f;

	if (find(s, project, name, &f, e) || pick(&f, version, &v, e))
		return -1;
	if (v->flags & SSTORE_DELETED)
		return err_set(e, ERR_NOT_FOUND,
			       "version %llu of this secret is deleted",
			       (unsigned long long)v->version);
	if (sstore_value_open(s, &f.h, v, ret, e))
		return -1;
	if (ret_is)
		describe(v, ret_is);
	return 0;
}

int secret_store_stat(struct secret_store *s, struct str project,
		      struct str name, struct secret_meta *ret, struct err *e)
{
	struct found f;

	if (find(s, project, name, &f, e))
		return -1;
	if (!f.rows.n)
		return err_set(e, ERR_NOT_FOUND, "the secret was removed");
	describe_head(&f.h, ret);
	return 0;
}

int secret_store_versions(struct secret_store *s, struct str project,
			  struct str name, struct secret_version *ret,
			  size_t *ret_n, struct err *e)
{
	struct found f;

	if (find(s, project, name, &f, e))
		return -1;
	if (!f.rows.n)
		return err_set(e, ERR_NOT_FOUND, "the secret was removed");
	for (size_t i = 0; i < f.rows.n; i++)
		describe(&f.rows.v[i], &ret[i]);
	*ret_n = f.rows.n;
	return 0;
}

int secret_store_list(struct secret_store *s, struct str project,
		      struct str after, struct secret_meta *ret, size_t max,
		      size_t *ret_n, struct err *e)
{
	char project_text[SECRET_STORE_NAME_MAX + 1] = {0};
	char after_text[SECRET_STORE_NAME_MAX + 1] = {0};
	struct ssql_query q CLEANUP_SSQL = {0};
	struct sstore_head h;
	size_t n = 0;
	int row;

	if (after.len ? check_names(project, after, e) :
			check_project(project, e))
		return -1;
	memcpy(project_text, project.p, project.len);
	if (after.len)
		memcpy(after_text, after.p, after.len);
	if (ssql_start(&s->sql, SSQL_HEADS_OF, &q, e))
		return -1;
	ssql_text(&q, project_text);
	ssql_text(&q, after_text);
	ssql_u64(&q, max);
	while ((row = ssql_step(&q, e)) > 0 && n < max) {
		if (sstore_head_read(s, &q, &h, e))
			return -1;
		describe_head(&h, &ret[n++]);
	}
	if (row < 0)
		return -1;
	*ret_n = n;
	return 0;
}

/* --- writing ------------------------------------------------------------- */

static int drop(struct secret_store *s, const struct hash *path, uint64_t from,
		uint64_t to, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (ssql_start(&s->sql, SSQL_VERSIONS_DROP, &q, e))
		return -1;
	ssql_blob(&q, path->b, HASH_LEN);
	ssql_u64(&q, from);
	ssql_u64(&q, to);
	return ssql_step(&q, e);
}

static int check_value(const struct secret *value, enum secret_value_type type,
		       struct err *e)
{
	size_t len = secret_bytes(value).n_bytes;

	if (type != SECRET_VALUE_BYTES && type != SECRET_VALUE_JSON)
		return err_set(e, ERR_INVALID, "not a type of a secret");
	if (!len)
		return err_set(e, ERR_INVALID, "a secret may not be empty");
	if (len > SECRET_STORE_VALUE_MAX)
		return err_set(e, ERR_LIMIT, "a secret of %zu bytes (max %d)",
			       len, SECRET_STORE_VALUE_MAX);
	return 0;
}

static int check_expected(const struct found *f, uint64_t expect, struct err *e)
{
	uint64_t is = f->rows.n ? f->h.current : 0;

	if (expect == SECRET_STORE_ANY || expect == is)
		return 0;
	return err_set(e, ERR_CONFLICT, "the secret is at version %llu",
		       (unsigned long long)is);
}

static int drop_head(struct sstore_tx *tx, const struct hash *path,
		     struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (sstore_tx_touch(tx, path, e) ||
	    ssql_start(&tx->s->sql, SSQL_HEAD_DROP, &q, e))
		return -1;
	ssql_blob(&q, path->b, HASH_LEN);
	if (ssql_step(&q, e))
		return -1;
	tx->n_heads--;
	return 0;
}

/* The one that was removed longest ago makes room for a new one.  -1 with
 * ERR_LIMIT: none was. */
static int drop_oldest_removed(struct sstore_tx *tx, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct sstore_head h;
	int row;

	if (ssql_start(&tx->s->sql, SSQL_HEAD_REMOVED, &q, e))
		return -1;
	row = ssql_step(&q, e);
	if (row < 0 || (row && sstore_head_read(tx->s, &q, &h, e)))
		return -1;
	if (!row)
		return err_set(e, ERR_LIMIT, "the store has %u secrets already",
			       tx->s->max_secrets);
	ssql_query_done(&q);
	return drop_head(tx, &h.path, e);
}

/* Find it or make a head for it, inside the transaction. */
static int find_or_new(struct sstore_tx *tx, struct str project,
		       struct str name, struct found *f, struct err *e)
{
	struct err why;

	if (!find(tx->s, project, name, f, &why))
		return 0;
	if (why.code != ERR_NOT_FOUND)
		return err_set(e, why.code, "%s", why.text);
	if (tx->n_heads >= tx->s->max_secrets && drop_oldest_removed(tx, e))
		return -1;
	tx->n_heads++;
	f->rows.n = 0;
	f->h = (struct sstore_head){.path = f->path,
				    .created_us = clock_real_us()};
	memcpy(f->h.project, project.p, project.len);
	memcpy(f->h.name, name.p, name.len);
	return 0;
}

int secret_store_put(struct secret_store *s, struct str project,
		     struct str name, const struct secret *value,
		     enum secret_value_type type, uint64_t expect,
		     uint64_t *ret_version, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};
	struct sstore_version v = {.type = type};
	struct found f;
	uint64_t keep;

	if (check_value(value, type, e) || sstore_tx_begin(s, &tx, e) ||
	    find_or_new(&tx, project, name, &f, e) ||
	    sstore_tx_touch(&tx, &f.path, e) || check_expected(&f, expect, e))
		return -1;
	v.version = ++f.h.current;
	v.created_us = f.h.updated_us = clock_real_us();
	f.h.flags = 0;
	if (sstore_value_seal(s, &f.h, &v, value, e))
		return -1;
	keep = f.h.keep ? f.h.keep : s->keep_versions;
	if (v.version > keep && drop(s, &f.path, 0, v.version - keep, e))
		return -1;
	if (sstore_head_put(s, &f.h, e) || sstore_tx_commit(&tx, e))
		return -1;
	*ret_version = v.version;
	return 0;
}

int secret_store_delete(struct secret_store *s, struct str project,
			struct str name, uint64_t version, bool deleted,
			struct err *e)
{
	struct secret *value CLEANUP_SECRET = NULL;
	struct sstore_tx tx CLEANUP_TX = {0};
	uint64_t flags = deleted ? SSTORE_DELETED : 0;
	struct sstore_version *v = NULL;
	struct found f;

	if (sstore_tx_begin(s, &tx, e) || find(s, project, name, &f, e) ||
	    pick(&f, version, &v, e))
		return -1;
	if (v->flags == flags)
		return 0;
	if (sstore_tx_touch(&tx, &f.path, e) ||
	    sstore_value_open(s, &f.h, v, &value, e))
		return -1;
	v->flags = flags;
	f.h.updated_us = clock_real_us();
	if (v->version == f.h.current)
		f.h.flags = flags;
	if (sstore_value_seal(s, &f.h, v, value, e) ||
	    sstore_head_put(s, &f.h, e))
		return -1;
	return sstore_tx_commit(&tx, e);
}

/* UTF-8 without control characters, as it is shown in terminals. */
static bool printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return str_utf8_valid(s);
}

int secret_store_describe(struct secret_store *s, struct str project,
			  struct str name, struct str description,
			  unsigned keep, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};
	struct found f;

	if (description.len > SECRET_STORE_DESCRIPTION_MAX ||
	    !printable(description))
		return err_set(e, ERR_INVALID,
			       "a description is one line of at most %d bytes",
			       SECRET_STORE_DESCRIPTION_MAX);
	if (keep > SECRET_STORE_VERSIONS_MAX)
		return err_set(e, ERR_INVALID, "at most %d versions are kept",
			       SECRET_STORE_VERSIONS_MAX);
	if (sstore_tx_begin(s, &tx, e) || find(s, project, name, &f, e))
		return -1;
	if (!f.rows.n)
		return err_set(e, ERR_NOT_FOUND, "the secret was removed");
	if (sstore_tx_touch(&tx, &f.path, e))
		return -1;
	memset(f.h.description, 0, sizeof(f.h.description));
	memcpy(f.h.description, description.p, description.len);
	f.h.keep = keep;
	f.h.updated_us = clock_real_us();
	return sstore_head_put(s, &f.h, e) || sstore_tx_commit(&tx, e) ? -1 : 0;
}

static int remove_rows(struct secret_store *s, struct sstore_tx *tx,
		       struct found *f, uint64_t version, struct err *e)
{
	uint64_t from = version, to = version ? version : INT64_MAX;
	struct sstore_version *v = NULL;

	if (!f->rows.n)
		return err_set(e, ERR_NOT_FOUND, "the secret was removed");
	if (version && pick(f, version, &v, e))
		return -1;
	if (sstore_tx_touch(tx, &f->path, e) || drop(s, &f->path, from, to, e))
		return -1;
	if (!version || version == f->h.current)
		f->h.flags = SSTORE_DELETED;
	f->h.updated_us = clock_real_us();
	return sstore_head_put(s, &f->h, e);
}

/* The pages are overwritten in the log; now in the database too. */
static int overwrite(struct secret_store *s, struct err *e)
{
	if (ssql_run(&s->sql, SSQL_CHECKPOINT, e))
		return err_wrap(e, "removed, but the log still has the old "
				   "pages");
	return 0;
}

int secret_store_remove(struct secret_store *s, struct str project,
			struct str name, uint64_t version, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};
	struct found f;

	if (sstore_tx_begin(s, &tx, e) || find(s, project, name, &f, e) ||
	    remove_rows(s, &tx, &f, version, e) || sstore_tx_commit(&tx, e))
		return -1;
	return overwrite(s, e);
}

int secret_store_forget(struct secret_store *s, struct str project,
			struct str name, struct err *e)
{
	struct sstore_tx tx CLEANUP_TX = {0};
	struct found f;

	if (sstore_tx_begin(s, &tx, e) || find(s, project, name, &f, e) ||
	    (f.rows.n && remove_rows(s, &tx, &f, 0, e)) ||
	    drop_head(&tx, &f.path, e) || sstore_tx_commit(&tx, e))
		return -1;
	return overwrite(s, e);
}
