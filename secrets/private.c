/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Sealed segments; see private.h. */
#include "secrets/private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "secrets/crypto.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAGIC_LEN = 8,
	SALT_LEN = PRIVATE_HEAD - MAGIC_LEN,
	SEALED = PRIVATE_SEGMENT + CRYPTO_TAG_LEN
};
#define LAST ((uint64_t)1 << 63)

static const char magic[MAGIC_LEN + 1] = "NFOPRIV1";

struct private_seal {
	const struct secret *key;
	struct buf what;
	private_fn *fn;
	void *ctx;
	unsigned char head[PRIVATE_HEAD];
	uint64_t number;
	size_t used;
	bool begun;
	unsigned char plain[PRIVATE_SEGMENT];
	unsigned char sealed[SEALED];
};

static void nonce_of(const unsigned char *head, uint64_t number,
		     unsigned char nonce[CRYPTO_XNONCE_LEN])
{
	_Static_assert((int)SALT_LEN + 8 == (int)CRYPTO_XNONCE_LEN,
		       "all of it");
	memcpy(nonce, head + MAGIC_LEN, SALT_LEN);
	for (unsigned i = 0; i < 8; i++)
		nonce[SALT_LEN + i] = (unsigned char)(number >> (56 - 8 * i));
}

static const unsigned char *key_of(const struct secret *key)
{
	struct secret_view v = secret_bytes(key);

	assert(v.n_bytes == PRIVATE_KEY_LEN);
	return v.bytes;
}

/* --- sealing ------------------------------------------------------------ */

struct private_seal *private_seal_new(const struct secret *key, struct str what,
				      private_fn *fn, void *ctx)
{
	struct private_seal *s = mem_alloc(sizeof(*s));

	s->key = key;
	s->what = BUF_INIT(1024);
	buf_str(&s->what, what);
	s->fn = fn;
	s->ctx = ctx;
	memcpy(s->head, magic, MAGIC_LEN);
	return s;
}

void private_seal_free(struct private_seal *s)
{
	if (!s)
		return;
	buf_done(&s->what);
	mem_wipe(s, sizeof(*s));
	mem_free(s);
}

static int seal(struct private_seal *s, uint64_t last, struct err *e)
{
	unsigned char nonce[CRYPTO_XNONCE_LEN];

	if (!s->begun &&
	    (getrandom(s->head + MAGIC_LEN, SALT_LEN, 0) != (ssize_t)SALT_LEN ||
	     s->what.failed))
		return err_sys(e, errno, "random numbers");
	if (!s->begun && s->fn(s->ctx, s->head, PRIVATE_HEAD, e))
		return -1;
	s->begun = true;
	nonce_of(s->head, s->number++ | last, nonce);
	if (crypto_xaes_seal(key_of(s->key), nonce, buf_view(&s->what),
			     s->plain, s->used, s->sealed, s->sealed + s->used,
			     e))
		return -1;
	if (s->fn(s->ctx, s->sealed, s->used + CRYPTO_TAG_LEN, e))
		return -1;
	s->used = 0;
	return 0;
}

int private_seal_put(struct private_seal *s, const void *p, size_t len,
		     struct err *e)
{
	const unsigned char *from = p;

	while (len) {
		size_t room = PRIVATE_SEGMENT - s->used;
		size_t n = len < room ? len : room;

		memcpy(s->plain + s->used, from, n);
		s->used += n;
		from += n;
		len -= n;
		if (s->used == PRIVATE_SEGMENT && seal(s, 0, e))
			return -1;
	}
	return 0;
}

int private_seal_end(struct private_seal *s, struct err *e)
{
	return seal(s, LAST, e);
}

/* --- opening ------------------------------------------------------------ */

int private_length(uint64_t sealed, uint64_t *ret, struct err *e)
{
	uint64_t body = sealed - PRIVATE_HEAD;

	if (sealed < PRIVATE_HEAD || body % SEALED < CRYPTO_TAG_LEN)
		return err_set(e, ERR_INVALID, "it is not a private file");
	*ret = body / SEALED * PRIVATE_SEGMENT + body % SEALED - CRYPTO_TAG_LEN;
	return 0;
}

/* One segment of so many sealed bytes. */
static int open_one(struct private_seal *s, int fd, uint64_t at, size_t len,
		    uint64_t number, struct err *e)
{
	unsigned char nonce[CRYPTO_XNONCE_LEN];

	if (pread(fd, s->sealed, len, (off_t)at) != (ssize_t)len)
		return err_set(e, ERR_INVALID, "the private file is cut off");
	s->used = len - CRYPTO_TAG_LEN;
	nonce_of(s->head, number, nonce);
	if (crypto_xaes_open(key_of(s->key), nonce, buf_view(&s->what),
			     s->sealed, s->used, s->sealed + s->used, s->plain,
			     e))
		return -1;
	return s->used ? s->fn(s->ctx, s->plain, s->used, e) : 0;
}

int private_open(int fd, const struct secret *key, struct str what,
		 private_fn *fn, void *ctx, struct err *e)
{
	struct private_seal *s = private_seal_new(key, what, fn, ctx);
	uint64_t at = PRIVATE_HEAD, size, plain;
	struct stat st;
	int bad = -1;

	if (fstat(fd, &st)) {
		err_sys(e, errno, "private file");
		goto out;
	}
	size = (uint64_t)st.st_size;
	if (private_length(size, &plain, e))
		goto out;
	if (pread(fd, s->head, PRIVATE_HEAD, 0) != PRIVATE_HEAD ||
	    memcmp(s->head, magic, MAGIC_LEN) != 0) {
		err_set(e, ERR_INVALID, "it is not a private file");
		goto out;
	}
	for (bad = 0; !bad && size - at >= SEALED; at += SEALED)
		bad = open_one(s, fd, at, SEALED, s->number++, e);
	if (!bad)
		bad = open_one(s, fd, at, (size_t)(size - at), s->number | LAST,
			       e);
out:
	private_seal_free(s);
	return bad;
}
