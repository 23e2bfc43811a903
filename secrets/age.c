/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files of age: header, STREAM; see age.h. */
#include "secrets/age.h"

#include <string.h>

#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"
#include "secrets/crypto.h"
#include "secrets/secret.h"

#define INTRO       "age-encryption.org/v1\n"
#define X25519_INFO "age-encryption.org/v1/X25519"

enum {
	FILE_KEY_LEN = 16,
	NONCE_LEN = 16, /* of the file */
	WRAPPED_LEN = FILE_KEY_LEN + CRYPTO_TAG_LEN,
	CHUNK = 64 << 10,
	STANZAS_MAX = 32
};

/* --- keys ---------------------------------------------------------------- */

static const unsigned char no_nonce[CRYPTO_NONCE_LEN];

/* What wraps the file key for one recipient. */
static int wrap_key(const unsigned char *shared, const unsigned char *ephemeral,
		    const unsigned char *recipient, unsigned char *out,
		    struct err *e)
{
	unsigned char salt[2 * X25519_PUBLIC_LEN];

	memcpy(salt, ephemeral, X25519_PUBLIC_LEN);
	memcpy(salt + X25519_PUBLIC_LEN, recipient, X25519_PUBLIC_LEN);
	return crypto_hkdf(shared, CURVE_SHARED_LEN,
			   str_n((const char *)salt, sizeof(salt)),
			   STR(X25519_INFO), out, CRYPTO_KEY_LEN, e);
}

static int header_mac(const unsigned char *file_key, struct str header,
		      struct hash *ret, struct err *e)
{
	unsigned char key[CRYPTO_KEY_LEN];

	if (crypto_hkdf(file_key, FILE_KEY_LEN, STR(""), STR("header"), key,
			sizeof(key), e))
		return -1;
	*ret = hash_hmac_sha256(key, sizeof(key), header.p, header.len);
	mem_wipe(key, sizeof(key));
	return 0;
}

static int payload_key(const unsigned char *file_key, const void *nonce,
		       unsigned char *out, struct err *e)
{
	return crypto_hkdf(file_key, FILE_KEY_LEN, str_n(nonce, NONCE_LEN),
			   STR("payload"), out, CRYPTO_KEY_LEN, e);
}

/* 11 bytes of the chunk's number, and whether it is the last. */
static void chunk_nonce(uint64_t number, bool last,
			unsigned char out[CRYPTO_NONCE_LEN])
{
	memset(out, 0, CRYPTO_NONCE_LEN);
	for (int i = 0; i < 8; i++)
		out[3 + i] = (unsigned char)(number >> (56 - 8 * i));
	out[11] = last;
}

/* Standard base64 without the padding. */
static void put_b64(struct buf *b, const void *p, size_t len)
{
	(void)b64_encode(b, p, len);
	while (b->len && b->data[b->len - 1] == '=')
		b->len--;
}

/* Exactly len bytes of it. */
static int get_b64(struct str s, void *out, size_t len)
{
	CLEANUP_BUF struct buf padded = BUF_INIT(128), raw = BUF_INIT(128);

	if (memchr(s.p, '=', s.len) || memchr(s.p, ' ', s.len))
		return -1;
	buf_str(&padded, s);
	while (padded.len % 4)
		buf_putc(&padded, '=');
	if (padded.failed || b64_decode(buf_view(&padded), &raw) ||
	    raw.len != len)
		return -1;
	memcpy(out, raw.data, len);
	return 0;
}

/* --- writing ------------------------------------------------------------- */

struct age_writer {
	struct buf *out;
	struct secret *mem;   /* the payload's key, then the chunk */
	unsigned char *chunk; /* CHUNK bytes, len of them are used */
	size_t len;
	uint64_t number;
};

static int put_header(struct buf *out, const unsigned char *recipient,
		      const unsigned char *file_key, struct err *e)
{
	unsigned char priv[CURVE_PRIVATE_LEN], ephemeral[X25519_PUBLIC_LEN];
	unsigned char shared[CURVE_SHARED_LEN], key[CRYPTO_KEY_LEN];
	unsigned char wrapped[WRAPPED_LEN];
	struct hash mac;
	int rc;

	if (x25519_new(priv, ephemeral, e))
		return -1;
	rc = x25519_shared(priv, recipient, shared, e) ||
	     wrap_key(shared, ephemeral, recipient, key, e) ||
	     crypto_chacha_seal(key, no_nonce, file_key, FILE_KEY_LEN, wrapped,
				wrapped + FILE_KEY_LEN, e);
	mem_wipe(priv, sizeof(priv));
	mem_wipe(shared, sizeof(shared));
	mem_wipe(key, sizeof(key));
	if (rc)
		return -1;
	buf_puts(out, INTRO "-> X25519 ");
	put_b64(out, ephemeral, sizeof(ephemeral));
	buf_putc(out, '\n');
	put_b64(out, wrapped, sizeof(wrapped));
	buf_puts(out, "\n---");
	if (header_mac(file_key, buf_view(out), &mac, e))
		return -1;
	buf_putc(out, ' ');
	put_b64(out, mac.b, HASH_LEN);
	buf_putc(out, '\n');
	return 0;
}

void age_writer_free(struct age_writer *w)
{
	if (!w)
		return;
	secret_free(w->mem);
	mem_free(w);
}

int age_writer_new(const unsigned char *recipient, struct buf *out,
		   struct age_writer **ret, struct err *e)
{
	unsigned char file_key[FILE_KEY_LEN], nonce[NONCE_LEN];
	struct age_writer *w = mem_alloc(sizeof(*w));
	int rc;

	w->out = out;
	random_bytes(file_key, sizeof(file_key));
	random_bytes(nonce, sizeof(nonce));
	rc = secret_new(NULL, CRYPTO_KEY_LEN + CHUNK, SECRET_WIPE_ON_FORK,
			&w->mem, e) ||
	     put_header(out, recipient, file_key, e) ||
	     payload_key(file_key, nonce, secret_room(w->mem), e);
	mem_wipe(file_key, sizeof(file_key));
	if (rc) {
		age_writer_free(w);
		return -1;
	}
	w->chunk = secret_room(w->mem) + CRYPTO_KEY_LEN;
	buf_put(out, nonce, sizeof(nonce));
	*ret = w;
	return 0;
}

static int put_chunk(struct age_writer *w, bool last, struct err *e)
{
	unsigned char nonce[CRYPTO_NONCE_LEN], tag[CRYPTO_TAG_LEN];
	char *room = buf_room(w->out, w->len + CRYPTO_TAG_LEN);

	if (!room)
		return err_set(e, ERR_LIMIT, "more than %zu bytes",
			       w->out->max);
	chunk_nonce(w->number++, last, nonce);
	if (crypto_chacha_seal(secret_room(w->mem), nonce, w->chunk, w->len,
			       (unsigned char *)room, tag, e))
		return -1;
	memcpy(room + w->len, tag, sizeof(tag));
	buf_commit(w->out, w->len + CRYPTO_TAG_LEN);
	mem_wipe(w->chunk, w->len);
	w->len = 0;
	return 0;
}

int age_write(struct age_writer *w, const void *p, size_t len, struct err *e)
{
	const unsigned char *from = p;

	while (len) {
		size_t n = CHUNK - w->len;

		/* A full one is not the last as long as there is more. */
		if (!n && put_chunk(w, false, e))
			return -1;
		if (!n)
			continue;
		if (n > len)
			n = len;
		memcpy(w->chunk + w->len, from, n);
		w->len += n;
		from += n;
		len -= n;
	}
	return 0;
}

int age_writer_end(struct age_writer *w, struct err *e)
{
	return put_chunk(w, true, e);
}

/* --- the header ---------------------------------------------------------- */

static int malformed(struct err *e)
{
	return err_set(e, ERR_INVALID, "this is no file of age");
}

/* One line without its end; -1 when there is none. */
static int get_line(struct str *rest, struct str *ret)
{
	const char *end = memchr(rest->p, '\n', rest->len);

	if (!end)
		return -1;
	*ret = str_n(rest->p, (size_t)(end - rest->p));
	*rest = str_n(end + 1, rest->len - ret->len - 1);
	return 0;
}

/* 1: it is for us, and file_key is there; 0: it is for somebody else. */
static int open_stanza(const unsigned char *private_key,
		       const unsigned char *public_key, struct str args,
		       struct str body, unsigned char *file_key, struct err *e)
{
	unsigned char ephemeral[X25519_PUBLIC_LEN], wrapped[WRAPPED_LEN];
	unsigned char shared[CURVE_SHARED_LEN], key[CRYPTO_KEY_LEN];
	struct err why;
	int rc;

	if (!str_is(str_cut(&args, ' '), "X25519"))
		return 0;
	if (get_b64(args, ephemeral, sizeof(ephemeral)) ||
	    get_b64(body, wrapped, sizeof(wrapped)))
		return malformed(e);
	if (x25519_shared(private_key, ephemeral, shared, e))
		return -1;
	rc = wrap_key(shared, ephemeral, public_key, key, e);
	mem_wipe(shared, sizeof(shared));
	if (rc)
		return -1;
	rc = crypto_chacha_open(key, no_nonce, wrapped, FILE_KEY_LEN,
				wrapped + FILE_KEY_LEN, file_key, &why);
	mem_wipe(key, sizeof(key));
	return rc ? 0 : 1;
}

/* What a stanza holds: lines of 64, the last one shorter. */
static int get_body(struct str *rest, struct buf *body)
{
	struct str line;

	do {
		if (get_line(rest, &line) || line.len > 64)
			return -1;
		buf_str(body, line);
	} while (line.len == 64);
	return body->failed ? -1 : 0;
}

static int check_mac(const unsigned char *file_key, struct str header,
		     struct str line, struct err *e)
{
	struct hash mac, said;

	if (header_mac(file_key, header, &mac, e))
		return -1;
	if (!str_starts(line, STR("--- ")) ||
	    get_b64(str_from_at(line, 4), said.b, HASH_LEN) ||
	    !hash_eq(&mac, &said))
		return err_set(e, ERR_INVALID,
			       "the header of the age file was changed");
	return 0;
}

/* rest is the payload afterwards. */
static int get_header(const unsigned char *private_key,
		      const unsigned char *public_key, struct str *rest,
		      unsigned char *file_key, struct err *e)
{
	struct str file = *rest, line;
	int found = 0;

	if (!str_starts(*rest, STR(INTRO)))
		return malformed(e);
	*rest = str_from_at(*rest, sizeof(INTRO) - 1);
	for (int i = 0; i <= STANZAS_MAX; i++) {
		CLEANUP_BUF struct buf body = BUF_INIT(AGE_HEADER_MAX);
		size_t at = (size_t)(rest->p - file.p);

		if (at > AGE_HEADER_MAX || get_line(rest, &line))
			return malformed(e);
		if (str_starts(line, STR("---")))
			return found ? check_mac(file_key,
						 str_n(file.p, at + 3), line,
						 e) :
				       err_set(e, ERR_DENIED,
					       "the age file is for other "
					       "recipients");
		if (!str_starts(line, STR("-> ")) || get_body(rest, &body))
			return malformed(e);
		if (found)
			continue;
		found = open_stanza(private_key, public_key,
				    str_from_at(line, 3), buf_view(&body),
				    file_key, e);
		if (found < 0)
			return -1;
	}
	return malformed(e);
}

/* --- the payload --------------------------------------------------------- */

static int get_chunks(const unsigned char *key, struct str rest,
		      struct secret *mem, age_text_fn *fn, void *ctx,
		      struct err *e)
{
	unsigned char nonce[CRYPTO_NONCE_LEN], *out = secret_room(mem);
	bool last = false;

	for (uint64_t i = 0; !last; i++) {
		size_t len = rest.len < CHUNK + CRYPTO_TAG_LEN ?
				     rest.len :
				     CHUNK + CRYPTO_TAG_LEN;
		int rc;

		last = len == rest.len;
		/* Only an empty text ends with an empty chunk. */
		if (len < CRYPTO_TAG_LEN || (len == CRYPTO_TAG_LEN && i))
			return err_set(e, ERR_INVALID,
				       "the age file was cut off");
		len -= CRYPTO_TAG_LEN;
		chunk_nonce(i, last, nonce);
		if (crypto_chacha_open(
			    key, nonce, (const unsigned char *)rest.p, len,
			    (const unsigned char *)rest.p + len, out, e))
			return err_set(e, ERR_INVALID,
				       "the age file was changed or cut off");
		rc = fn(ctx, str_n((const char *)out, len), e);
		mem_wipe(out, len);
		if (rc)
			return -1;
		rest = str_from_at(rest, len + CRYPTO_TAG_LEN);
	}
	return 0;
}

int age_open(const unsigned char *private_key, struct str file, age_text_fn *fn,
	     void *ctx, struct err *e)
{
	static const unsigned char base[X25519_PUBLIC_LEN] = {9};
	unsigned char file_key[FILE_KEY_LEN], key[CRYPTO_KEY_LEN];
	unsigned char public_key[X25519_PUBLIC_LEN];
	struct secret *mem CLEANUP_SECRET = NULL;
	int rc;

	if (x25519_shared(private_key, base, public_key, e) ||
	    secret_new(NULL, CHUNK, SECRET_WIPE_ON_FORK, &mem, e))
		return -1;
	rc = get_header(private_key, public_key, &file, file_key, e);
	if (!rc && file.len < NONCE_LEN)
		rc = err_set(e, ERR_INVALID, "the age file was cut off");
	if (!rc)
		rc = payload_key(file_key, file.p, key, e);
	mem_wipe(file_key, sizeof(file_key));
	if (rc)
		return -1;
	rc = get_chunks(key, str_from_at(file, NONCE_LEN), mem, fn, ctx, e);
	mem_wipe(key, sizeof(key));
	return rc;
}
