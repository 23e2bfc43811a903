/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Was it signed with a secret of the project?  Asked by the server for what
 * strangers send, so: as often as VERIFIES_PER_S and no more, the same work and
 * the same answer for a secret that is not there, and nothing of the content is
 * looked into.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "secrets/ref.h"

#include <string.h>
#include <unistd.h>

enum {
	VERIFIES_PER_S = 200,
};

/* How long the secret before a new one is still taken. */
#define OLD_KEPT_US ((int64_t)24 * 3600 * 1000000)

struct question {
	struct verify v;
	struct secret_ref ref; /* only of one that is somebody's */
	struct str content;    /* what is signed */
};

static bool too_often(struct keeper *k)
{
	int64_t second = clock_mono_us() / 1000000;

	if (second != k->verify_second) {
		k->verify_second = second;
		k->verifies = 0;
	}
	return ++k->verifies > VERIFIES_PER_S;
}

/* --- one secret --------------------------------------------------------- */

/* Files end with a line end that nobody means. */
static struct str chomp(struct secret_view s)
{
	struct str v = str_n((const char *)s.bytes, s.n_bytes);

	if (v.len > 1 && v.p[v.len - 1] == '\n')
		v.len--;
	if (v.len > 1 && v.p[v.len - 1] == '\r')
		v.len--;
	return v;
}

static bool mac_is_right(const struct question *q, struct str key)
{
	struct hash mac =
		hash_hmac_sha256(key.p, key.len, q->content.p, q->content.len);
	bool yes = false;

	for (size_t i = 0; i < q->v.n_macs; i++)
		yes |= hash_eq(&mac, &q->v.macs[i]);
	mem_wipe(&mac, sizeof(mac));
	return yes;
}

static bool whsec_is_right(const struct question *q, struct str key)
{
	struct buf raw = BUF_INIT(SECRET_STORE_VALUE_MAX);
	bool yes;

	if (!str_starts(key, STR("whsec_")))
		return mac_is_right(q, key);
	if (b64_decode(str_from_at(key, 6), &raw) || !raw.len)
		raw.len = 0; /* the work is done all the same */
	yes = mac_is_right(q, raw.len ? buf_view(&raw) : key) && raw.len;
	buf_wipe(&raw);
	return yes;
}

/* The length of neither is told. */
static bool token_is_right(const struct question *q, struct str key)
{
	struct hash a = hash_sha256(key.p, key.len);
	struct hash b = hash_sha256(q->v.token.p, q->v.token.len);
	bool yes = hash_eq(&a, &b);

	mem_wipe(&a, sizeof(a));
	mem_wipe(&b, sizeof(b));
	return yes;
}

static bool is_right(const struct question *q, struct str key)
{
	switch ((enum verify_how)q->v.how) {
	case VERIFY_HMAC:
		return mac_is_right(q, key);
	case VERIFY_HMAC_WHSEC:
		return whsec_is_right(q, key);
	case VERIFY_TOKEN:
		return token_is_right(q, key);
	case N_VERIFY_HOWS:
		break;
	}
	return false;
}

/* --- the secret and the one before it ----------------------------------- */

/* 0: *ret is whether it is; -1: the store failed. */
static int try_version(struct keeper *k, const struct question *q,
		       uint64_t version, bool *ret, struct err *e)
{
	CLEANUP_SECRET struct secret *s = NULL;

	if (secret_store_get(k->store, str_from(q->ref.project),
			     str_from(q->ref.path), version, &s, NULL, e)) {
		*ret = false;
		if (e->code != ERR_NOT_FOUND)
			return -1;
		(void)is_right(q, STR("nobody's key: takes as long"));
		return 0;
	}
	*ret = is_right(q, chomp(secret_bytes(s)));
	return 0;
}

/* Only while the newest is new, and when no version was named. */
static uint64_t version_before(struct keeper *k, const struct question *q)
{
	struct secret_meta meta;
	struct err e;

	if (q->ref.version ||
	    secret_store_stat(k->store, str_from(q->ref.project),
			      str_from(q->ref.path), &meta, &e) ||
	    meta.deleted || clock_real_us() - meta.updated_us > OLD_KEPT_US)
		return 0;
	return meta.current - 1;
}

static int look(struct keeper *k, const struct question *q, bool *ret,
		struct err *e)
{
	uint64_t before;
	bool old = false;

	*ret = false;
	if (!q->v.ref.len) {
		(void)is_right(q, STR("nobody's key: takes as long"));
		return 0;
	}
	if (try_version(k, q, q->ref.version, ret, e))
		return -1;
	before = version_before(k, q);
	if (before && try_version(k, q, before, &old, e))
		return -1;
	*ret |= old;
	return 0;
}

/* --- the message -------------------------------------------------------- */

/* Only of the store, and of the project that asks. */
static int read_ref(struct question *q)
{
	struct err e;

	if (!q->v.ref.len)
		return 0;
	if (secret_ref_parse(q->v.ref, &q->ref, &e) ||
	    q->ref.kind != SECRET_REF_STORE || q->ref.field[0] ||
	    !str_is(q->v.project, q->ref.project))
		return -1;
	return 0;
}

static int read_content(const struct question *q, struct chan_msg *msg,
			struct buf *b)
{
	struct err e;

	if (q->v.how == VERIFY_TOKEN)
		return msg->n_fds ? -1 : 0;
	return msg->n_fds == 1 && !fd_memfd_read(msg->fds[0], b, &e) ? 0 : -1;
}

int keeper_verify(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg)
{
	struct buf content = BUF_INIT(VERIFY_CONTENT_MAX);
	struct wire_writer w = {.len = 0};
	struct question q;
	bool yes = false;
	struct err e;
	int bad;

	if (verify_decode(r, &q.v) || !wire_end(r) || read_ref(&q) ||
	    read_content(&q, msg, &content)) {
		buf_wipe(&content);
		return -1;
	}
	q.content = buf_view(&content);
	if (too_often(k))
		bad = err_set(&e, ERR_LIMIT, "too many calls");
	else
		bad = look(k, &q, &yes, &e);
	buf_wipe(&content);
	if (bad)
		return keeper_answer(k, tag, bad, 0, &e);
	wire_u64(&w, tag);
	wire_u8(&w, yes);
	return chan_post(k->server, MSG_VERIFIED, &w, NULL, 0, &e);
}
