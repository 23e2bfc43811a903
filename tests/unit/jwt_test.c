/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tokens: what is taken, and every way in which one is not. */
#include "jwt_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
	NOW = 1700000000
};

#define CLAIMS                                                                 \
	"{\"iss\":\"https://i\",\"sub\":\"ann\",\"aud\":\"nfo\","              \
	"\"exp\":1700000100}"

static EVP_PKEY *ec, *rsa, *ed, *other_ec;
static struct jwks *keys;

static int make_keys(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);
	struct err e;

	(void)state;
	ec = EVP_EC_gen("P-256");
	other_ec = EVP_EC_gen("P-256");
	rsa = EVP_RSA_gen(2048);
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	buf_puts(&b, "{\"keys\":[{\"kid\":\"ec\",");
	put_jwk(&b, ec);
	buf_puts(&b, "},{\"kid\":\"rsa\",\"use\":\"sig\",\"alg\":\"RS256\",");
	put_jwk(&b, rsa);
	buf_puts(&b, "},{\"kid\":\"ed\",\"key_ops\":[\"verify\"],");
	put_jwk(&b, ed);
	buf_puts(&b, "}]}");
	return jwks_parse(buf_view(&b), &keys, &e);
}

static int drop_keys(void **state)
{
	(void)state;
	jwks_free(keys);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(other_ec);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
	return 0;
}

static enum err_code check_with(const char *token, unsigned algs,
				unsigned skew_s, int64_t now_s)
{
	static const struct str audiences[] = {
		{"other", 5},
                {"nfo",   3}
        };
	struct jwt_rules rules = {.issuer = STR("https://i"),
				  .audiences = audiences,
				  .n_audiences = 2,
				  .algs = algs,
				  .skew_s = skew_s};
	struct err e = {.code = ERR_NONE};
	struct jwt t;

	if (jwt_read(str_from(token), &t, &e))
		return e.code;
	if (!jwt_check(&t, &rules, keys, now_s, &e))
		e.code = ERR_NONE;
	jwt_done(&t);
	return e.code;
}

static enum err_code check(const char *token)
{
	return check_with(token, JWT_ALGS_ALL, JWT_SKEW_S, NOW);
}

static enum err_code check_made(EVP_PKEY *key, const char *header,
				const char *claims)
{
	CLEANUP_MEM char *token = token_make(key, header, claims);

	return check(token);
}

static void right_ones(void **state)
{
	(void)state;
	assert_int_equal(
		check_made(ec, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", CLAIMS),
		ERR_NONE);
	assert_int_equal(
		check_made(rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", CLAIMS),
		ERR_NONE);
	assert_int_equal(
		check_made(ed, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", CLAIMS),
		ERR_NONE);
	assert_int_equal(check_made(ed, "{\"alg\":\"Ed25519\"}", CLAIMS),
			 ERR_NONE);
	assert_int_equal(check_made(ec,
				    "{\"alg\":\"ES256\",\"typ\":\"at+JWT\"}",
				    CLAIMS),
			 ERR_NONE);
}

static void wrong_headers(void **state)
{
	static const struct {
		const char *header;
		enum err_code code;
	} rows[] = {
		{"{\"alg\":\"none\"}",                         ERR_DENIED   },
		{"{\"alg\":\"HS256\",\"kid\":\"ec\"}",         ERR_DENIED   },
		{"{\"alg\":\"PS256\",\"kid\":\"rsa\"}",        ERR_DENIED   },
		{"{\"alg\":\"es256\",\"kid\":\"ec\"}",         ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"alg\":\"ES256\"}",      ERR_DENIED   },
		{"{\"alg\":[\"ES256\"]}",                      ERR_DENIED   },
		{"{\"kid\":\"ec\"}",                           ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"crit\":[\"exp\"]}",     ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"b64\":false}",          ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"typ\":\"logout+jwt\"}", ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"typ\":1}",              ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"kid\":\"\"}",           ERR_DENIED   },
		{"{\"alg\":\"ES256\",\"kid\":1}",              ERR_DENIED   },
		{"[]",					 ERR_DENIED   },
		{"{\"alg\":\"ES256\"",                         ERR_DENIED   },
 /* the right key, by another name or as another kind */
		{"{\"alg\":\"ES256\",\"kid\":\"gone\"}",       ERR_NOT_FOUND},
		{"{\"alg\":\"ES256\",\"kid\":\"rsa\"}",        ERR_NOT_FOUND},
		{"{\"alg\":\"RS256\",\"kid\":\"ec\"}",         ERR_NOT_FOUND},
		{"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",        ERR_DENIED   },
		{"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}",         ERR_DENIED   },
	};
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (check_made(ec, rows[i].header, CLAIMS) != rows[i].code)
			fail_msg("%s", rows[i].header);
	buf_puts(&b, "{\"alg\":\"ES256\",\"x\":\"");
	while (b.len < JWT_HEADER_MAX)
		buf_puts(&b, "xxxxxxxxxx");
	buf_puts(&b, "\"}");
	assert_int_equal(check_made(ec, buf_cstr(&b), CLAIMS), ERR_DENIED);
	assert_int_equal(check_made(other_ec,
				    "{\"alg\":\"ES256\",\"kid\":\"ec\"}",
				    CLAIMS),
			 ERR_DENIED);
}

/* The public key as an HMAC key: there is no HMAC here at all. */
static void no_confusion_of_keys(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);

	(void)state;
	put_signed(&b, "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", CLAIMS);
	buf_puts(&b, ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
	buf_reset(&b);
	put_signed(&b, "{\"alg\":\"none\"}", CLAIMS);
	buf_puts(&b, ".");
	assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
}

#define REST "\"sub\":\"ann\",\"aud\":\"nfo\",\"exp\":1700000100}"
#define BASE "{\"iss\":\"https://i\",\"sub\":\"ann\","

static void claims(void **state)
{
	static const struct {
		const char *claims;
		bool good;
	} rows[] = {
		{"{\"iss\":\"https://i/\"," REST,                               false},
		{"{\"iss\":\"\"," REST,					 false},
		{"{" REST,						      false},
		{"{\"iss\":[\"https://i\"]," REST,                              false},
		{"{\"iss\":\"https://i\",\"iss\":\"https://i\"," REST,          false},
		{BASE "\"exp\":1700000100}",                                    false},
		{BASE "\"aud\":\"nf\",\"exp\":1700000100}",                     false},
		{BASE "\"aud\":[],\"exp\":1700000100}",                         false},
		{BASE "\"aud\":[1,\"nfo\"],\"exp\":1700000100}",                true },
		{BASE "\"aud\":[\"x\",\"other\"],\"exp\":1700000100}",          true },
		{BASE "\"aud\":{\"a\":\"nfo\"},\"exp\":1700000100}",            false},
		{BASE "\"aud\":\"nfo\"}",                                       false},
		{BASE "\"aud\":\"nfo\",\"exp\":\"1700000100\"}",                false},
		{BASE "\"aud\":\"nfo\",\"exp\":1.7e9}",                         false},
		{BASE "\"aud\":\"nfo\",\"exp\":-1}",                            false},
		{BASE "\"aud\":\"nfo\",\"exp\":99999999999999999999}",          false},
		{BASE "\"aud\":\"nfo\",\"exp\":1700000100.5}",                  true },
 /* 60 s of skew: the end itself is over */
		{BASE "\"aud\":\"nfo\",\"exp\":1699999940}",                    false},
		{BASE "\"aud\":\"nfo\",\"exp\":1699999941}",                    true },
		{BASE "\"nbf\":1700000061,\"aud\":\"nfo\",\"exp\":1700009999}",
		 false							       },
		{BASE "\"nbf\":1700000060,\"aud\":\"nfo\",\"exp\":1700009999}",
		 true								},
		{BASE "\"iat\":1700000061,\"aud\":\"nfo\",\"exp\":1700009999}",
		 false							       },
		{BASE "\"nbf\":\"soon\",\"aud\":\"nfo\",\"exp\":1700009999}",
		 false							       },
		{"{\"iss\":\"https://i\",\"aud\":\"nfo\",\"exp\":1700000100}",
		 false							       },
		{"{\"iss\":\"https://i\",\"sub\":\"a\\n\",\"aud\":\"nfo\","
		 "\"exp\":1700000100}",			false},
		{BASE "\"aud\":\"nfo\",\"exp\":1700000100,"
		      "\"x\":[[[[[[[[[[1]]]]]]]]]]}",          false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((check_made(ec, "{\"alg\":\"ES256\"}", rows[i].claims) ==
		     ERR_NONE) != rows[i].good)
			fail_msg("%s", rows[i].claims);
}

static void rules(void **state)
{
	CLEANUP_MEM char *t = token_make(ec, "{\"alg\":\"ES256\"}", CLAIMS);

	(void)state;
	assert_int_equal(check_with(t, 1U << JWT_ES256, 0, NOW), ERR_NONE);
	assert_int_equal(check_with(t, 1U << JWT_RS256, 0, NOW), ERR_DENIED);
	assert_int_equal(check_with(t, JWT_ALGS_ALL, 0, NOW + 100), ERR_DENIED);
	assert_int_equal(check_with(t, JWT_ALGS_ALL, 0, NOW + 99), ERR_NONE);
	/* no skew is over five minutes, whatever is asked for */
	assert_int_equal(check_with(t, JWT_ALGS_ALL, 99999, NOW + 400),
			 ERR_DENIED);
	assert_int_equal(check_with(t, JWT_ALGS_ALL, 99999, NOW + 399),
			 ERR_NONE);
}

static void other_forms(void **state)
{
	CLEANUP_MEM char *t = token_make(ec, "{\"alg\":\"ES256\"}", CLAIMS);
	static const char *const ends[] = {".", ".AA", "A", "AA",
					   "=", "\n",  " ", "%"};
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);
	size_t len = strlen(t);

	(void)state;
	assert_true(jwt_looks_like(str_from(t)));
	assert_false(jwt_looks_like(STR("nfo_abc")));
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		buf_reset(&b);
		buf_printf(&b, "%s%s", t, ends[i]);
		assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
	}
	for (size_t cut = 0; cut < len; cut++) {
		buf_reset(&b);
		buf_put(&b, t, cut);
		assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
	}
	/* each bit that is not that of the key's name counts */
	for (size_t i = 0; i < len; i += 3) {
		buf_reset(&b);
		buf_put(&b, t, len);
		b.data[i] = b.data[i] == 'A' ? 'B' : 'A';
		assert_int_not_equal(check(buf_cstr(&b)), ERR_NONE);
	}
	buf_reset(&b);
	buf_printf(&b, "%s.", t);
	while (b.len <= JWT_TEXT_MAX)
		buf_puts(&b, "AAAAAAAAAAAAAAAA");
	assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
}

static void other_signatures(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);
	unsigned char sig[256], wrong[256];
	size_t head, len;

	(void)state;
	put_signed(&b, "{\"alg\":\"ES256\"}", CLAIMS);
	head = b.len;
	/* DER, as OpenSSL itself has it */
	len = sign_der(ec, buf_view(&b), sig, sizeof(sig));
	buf_putc(&b, '.');
	put_b64(&b, sig, len);
	assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
	b.len = head;
	b.data[head] = '\0';
	len = sign_raw(ec, buf_view(&b), sig, sizeof(sig));
	assert_int_equal(len, 64);
	for (size_t half = 0; half < 3; half++) { /* r, s, both are 0 */
		memcpy(wrong, sig, len);
		if (half != 1)
			memset(wrong, 0, 32);
		if (half != 0)
			memset(wrong + 32, 0, 32);
		b.len = head;
		buf_putc(&b, '.');
		put_b64(&b, wrong, 64);
		assert_int_equal(check(buf_cstr(&b)), ERR_DENIED);
	}
	for (size_t n = 62; n <= 66; n++) {
		memset(wrong, 0, sizeof(wrong));
		memcpy(wrong, sig, 64);
		b.len = head;
		buf_putc(&b, '.');
		put_b64(&b, wrong, n);
		assert_int_equal(check(buf_cstr(&b)),
				 n == 64 ? ERR_NONE : ERR_DENIED);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_ones),
		cmocka_unit_test(wrong_headers),
		cmocka_unit_test(no_confusion_of_keys),
		cmocka_unit_test(claims),
		cmocka_unit_test(rules),
		cmocka_unit_test(other_forms),
		cmocka_unit_test(other_signatures),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
