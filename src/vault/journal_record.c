/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See journal_record.h. */
#include "vault/journal_record.h"

#include "base/mem.h"

#include <string.h>

enum {
	F_LOGIN = 1,
	F_OWNER = 2, /* provider and attempt */
	F_TOKEN = 4,
	F_ID = 8,
	F_LEASE = 16,
	F_LIFE = 32
};

enum {
	RENEWABLE = 1,
	KEEP = 2
};

/* What is in each. */
static const unsigned fields[N_JOURNAL_WHATS] = {
	[JOURNAL_LOGIN] = F_LOGIN | F_OWNER | F_TOKEN,
	[JOURNAL_LOGIN_GONE] = F_LOGIN,
	[JOURNAL_LEASE] = F_LOGIN | F_OWNER | F_ID | F_LEASE | F_LIFE,
	[JOURNAL_RENEWED] = F_ID | F_LIFE,
	[JOURNAL_LEASE_GONE] = F_ID,
};

static void put(struct wire_writer *w, const char *s)
{
	wire_str(w, str_from(s));
}

static void put_token(struct wire_writer *w, const struct secret *token)
{
	struct secret_view v = secret_bytes(token);

	if (!v.n_bytes || v.n_bytes > JOURNAL_TOKEN_MAX)
		w->failed = true;
	else
		wire_str(w, str_n((const char *)v.bytes, v.n_bytes));
}

int journal_record_encode(const struct journal_record *r, struct wire_writer *w,
			  struct err *e)
{
	unsigned f = fields[r->what];

	wire_u8(w, (uint8_t)r->what);
	if (f & F_LOGIN)
		wire_u64(w, r->login);
	if (f & F_OWNER) {
		put(w, r->provider);
		put(w, r->attempt.s);
	}
	if (f & F_TOKEN) {
		put_token(w, r->token);
		wire_u8(w, r->ours);
	}
	if (f & F_ID)
		put(w, r->id.s);
	if (f & F_LEASE) {
		put(w, r->lease_id);
		put(w, r->project);
		put(w, r->run.s);
		put(w, r->path);
		wire_i64(w, r->made_us);
	}
	if (f & F_LIFE) {
		wire_i64(w, r->expires_us);
		wire_u8(w, (uint8_t)((r->renewable ? RENEWABLE : 0) |
				     (r->keep ? KEEP : 0)));
	}
	if (w->failed || w->len > JOURNAL_RECORD_MAX)
		return err_set(e, ERR_LIMIT, "a record is too long");
	return 0;
}

/* --- reading -------------------------------------------------------------- */

static void get(struct wire_reader *r, char *to, size_t max)
{
	struct str s = wire_get_str(r, max);

	if (s.len && memchr(s.p, '\0', s.len))
		r->failed = true;
	if (r->failed)
		return;
	memcpy(to, s.p, s.len);
	to[s.len] = '\0';
}

static void get_name(struct wire_reader *r, char *to)
{
	get(r, to, SECRET_REF_NAME_MAX);
	if (!secret_name_valid(str_from(to)))
		r->failed = true;
}

static void get_ulid(struct wire_reader *r, struct ulid *to, bool may_be_none)
{
	get(r, to->s, ULID_LEN);
	if (!(may_be_none && !to->s[0]) && !ulid_valid(str_from(to->s)))
		r->failed = true;
}

static void get_token(struct wire_reader *r, struct secret **ret)
{
	struct str s = wire_get_str(r, JOURNAL_TOKEN_MAX);
	struct err e;

	if (r->failed || !s.len || secret_new(s.p, s.len, 0, ret, &e))
		r->failed = true;
}

static bool get_bool(struct wire_reader *r)
{
	uint8_t v = wire_get_u8(r);

	if (v > 1)
		r->failed = true;
	return v;
}

static void get_lease(struct wire_reader *r, struct journal_record *ret)
{
	get(r, ret->lease_id, JOURNAL_LEASE_ID_MAX);
	get_name(r, ret->project);
	get_ulid(r, &ret->run, false);
	get(r, ret->path, SECRET_REF_PATH_MAX);
	ret->made_us = wire_get_i64(r);
}

static void get_life(struct wire_reader *r, struct journal_record *ret)
{
	uint8_t flags;

	ret->expires_us = wire_get_i64(r);
	flags = wire_get_u8(r);
	ret->renewable = flags & RENEWABLE;
	ret->keep = flags & KEEP;
	if (flags & ~(RENEWABLE | KEEP) || ret->made_us < 0 ||
	    ret->expires_us < 0)
		r->failed = true;
}

int journal_record_decode(const unsigned char *p, size_t len,
			  struct journal_record *ret, struct secret **ret_token)
{
	struct wire_reader r = wire_reader(p, len);
	unsigned f;

	memset(ret, 0, sizeof(*ret));
	*ret_token = NULL;
	ret->what = wire_get_u8(&r);
	if (r.failed || ret->what < JOURNAL_LOGIN ||
	    ret->what >= N_JOURNAL_WHATS)
		return -1;
	f = fields[ret->what];
	if (f & F_LOGIN && !(ret->login = wire_get_u64(&r)))
		r.failed = true;
	if (f & F_OWNER) {
		get_name(&r, ret->provider);
		get_ulid(&r, &ret->attempt, true);
	}
	if (f & F_TOKEN) {
		get_token(&r, ret_token);
		ret->ours = get_bool(&r);
	}
	if (f & F_ID)
		get_ulid(&r, &ret->id, false);
	if (f & F_LEASE)
		get_lease(&r, ret);
	if (f & F_LIFE)
		get_life(&r, ret);
	ret->token = *ret_token;
	if (wire_end(&r))
		return 0;
	secret_free(*ret_token);
	*ret_token = NULL;
	return -1;
}
