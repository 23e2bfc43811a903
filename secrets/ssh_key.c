/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Ed25519 by OpenSSL, written down as OpenSSH does; see ssh_key.h. */
#include "secrets/ssh_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"

#define KEY_TYPE "ssh-ed25519"
#define MAGIC    "openssh-key-v1" /* with its NUL */
#define BEGIN    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END      "-----END OPENSSH PRIVATE KEY-----\n"

enum {
	HALF = 32, /* bytes: the seed, and the public key */
	BLOB_MAX = 768,
	LINE = 70,
	BLOCK = 8 /* of the cipher "none" */
};

struct blob {
	unsigned char b[BLOB_MAX];
	size_t len;
};

struct pair {
	unsigned char seed[HALF], pub[HALF];
};

static void pkey_cleanup(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void pair_cleanup(struct pair *p)
{
	mem_wipe(p, sizeof(*p));
}

static void blob_cleanup(struct blob *b)
{
	mem_wipe(b, sizeof(*b));
}

/* --- the wire format (RFC 4251 5): the sizes are ours and known ---------- */

static void put(struct blob *b, const void *p, size_t len)
{
	memcpy(b->b + b->len, p, len);
	b->len += len;
}

static void put_u32(struct blob *b, size_t v)
{
	unsigned char n[4] = {(unsigned char)(v >> 24),
			      (unsigned char)(v >> 16), (unsigned char)(v >> 8),
			      (unsigned char)v};

	put(b, n, sizeof(n));
}

static void put_string(struct blob *b, const void *p, size_t len)
{
	put_u32(b, len);
	put(b, p, len);
}

static void put_text(struct blob *b, const char *s)
{
	put_string(b, s, strlen(s));
}

static void public_blob(const struct pair *k, struct blob *b)
{
	put_text(b, KEY_TYPE);
	put_string(b, k->pub, HALF);
}

/* The check is there so that a wrong passphrase is seen: any number, twice. */
static void private_part(const struct pair *k, struct str comment,
			 struct blob *b)
{
	unsigned char check[4];

	random_bytes(check, sizeof(check));
	put(b, check, sizeof(check));
	put(b, check, sizeof(check));
	put_text(b, KEY_TYPE);
	put_string(b, k->pub, HALF);
	put_u32(b, 2 * HALF);
	put(b, k->seed, HALF);
	put(b, k->pub, HALF);
	put_string(b, comment.p, comment.len);
	for (unsigned char pad = 1; b->len % BLOCK; pad++)
		put(b, &pad, 1);
}

static void private_blob(const struct pair *k, struct str comment,
			 struct blob *b)
{
	struct blob inner CLEANUP(blob_cleanup) = {.len = 0};
	struct blob pub = {.len = 0};

	public_blob(k, &pub);
	private_part(k, comment, &inner);
	put(b, MAGIC, sizeof(MAGIC));
	put_text(b, "none"); /* cipher */
	put_text(b, "none"); /* of the passphrase */
	put_text(b, "");
	put_u32(b, 1);
	put_string(b, pub.b, pub.len);
	put_string(b, inner.b, inner.len);
}

/* --- text ---------------------------------------------------------------- */

static int armour(const struct blob *b, struct secret **ret, struct err *e)
{
	unsigned char text[BLOB_MAX * 4 / 3 + 8];
	size_t len, lines;
	unsigned char *to;

	len = (size_t)EVP_EncodeBlock(text, b->b, (int)b->len);
	lines = (len + LINE - 1) / LINE;
	if (secret_new(NULL, sizeof(BEGIN) - 1 + len + lines + sizeof(END) - 1,
		       0, ret, e)) {
		mem_wipe(text, sizeof(text));
		return -1;
	}
	to = secret_room(*ret);
	memcpy(to, BEGIN, sizeof(BEGIN) - 1);
	to += sizeof(BEGIN) - 1;
	for (size_t at = 0; at < len; at += LINE) {
		size_t n = len - at < LINE ? len - at : LINE;

		memcpy(to, text + at, n);
		to[n] = '\n';
		to += n + 1;
	}
	memcpy(to, END, sizeof(END) - 1);
	mem_wipe(text, sizeof(text));
	return 0;
}

static bool comment_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.len <= SSH_KEY_COMMENT_MAX;
}

static int make_pair(struct pair *ret, struct err *e)
{
	EVP_PKEY *k CLEANUP(pkey_cleanup) =
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	size_t seed = HALF, pub = HALF;

	if (k && EVP_PKEY_get_raw_private_key(k, ret->seed, &seed) == 1 &&
	    EVP_PKEY_get_raw_public_key(k, ret->pub, &pub) == 1 &&
	    seed == HALF && pub == HALF)
		return 0;
	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "making an Ed25519 key failed");
}

int ssh_key_new(struct str comment, struct secret **ret_private,
		struct buf *public_line, struct err *e)
{
	struct blob whole CLEANUP(blob_cleanup) = {.len = 0};
	struct pair pair CLEANUP(pair_cleanup) = {.seed = {0}};
	struct blob pub = {.len = 0};

	if (!comment_ok(comment))
		return err_set(e, ERR_INVALID,
			       "the comment of an SSH key is one short line of "
			       "ASCII");
	if (make_pair(&pair, e))
		return -1;
	public_blob(&pair, &pub);
	buf_puts(public_line, KEY_TYPE " ");
	b64_encode(public_line, pub.b, pub.len);
	if (comment.len) {
		buf_putc(public_line, ' ');
		buf_str(public_line, comment);
	}
	if (public_line->failed)
		return err_set(e, ERR_LIMIT, "no room for the public key");
	private_blob(&pair, comment, &whole);
	return armour(&whole, ret_private, e);
}
