/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Key sets: which keys are taken, and what they take for a signature. */
#include "jwt_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct jwks *parse(const char *text)
{
	struct jwks *k = NULL;
	struct err e;

	if (jwks_parse(str_from(text), &k, &e))
		return NULL;
	return k;
}

static size_t count(const char *text)
{
	struct jwks *k = parse(text);
	size_t n = k ? jwks_len(k) : 1000;

	jwks_free(k);
	return n;
}

/* RFC 7515 A.2, A.3 and RFC 8037 A.4. */
#define RFC_N                                                                   \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-" \
	"4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"                             \
	"pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"                \
	"bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"                             \
	"UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"             \
	"I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"                                    \
	"h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RFC_RSA_SIGNATURE                                                      \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAu"  \
	"HIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRF"  \
	"diuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"  \
	"eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6I"  \
	"eYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUP"  \
	"QGe77Rw"
#define RFC_PAYLOAD                                                            \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"  \
	"lLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC_P256                                                               \
	"{\"kty\":\"EC\",\"crv\":\"P-256\","                                   \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","               \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define RFC_ED25519                                                            \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static const struct {
	const char *set, *text, *signature;
	enum jwt_alg alg;
} vectors[] = {
	{"{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\"}]}",
	 "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD,								      RFC_RSA_SIGNATURE, JWT_RS256},
	{"{\"keys\":[" RFC_P256 "]}",					 "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD,
	 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApm"
	 "WQxfKTUJqPP3-Kg6NU1Q",												      JWT_ES256},
	{"{\"keys\":[" RFC_ED25519 "]}",
	 "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",					       "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVs"
	 "Pt9g7sVvpAr_MuM0KAg",				   JWT_EDDSA},
};

static void vectors_of_the_rfcs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		CLEANUP_BUF struct buf sig = BUF_INIT(1024);
		struct jwks *k = parse(vectors[i].set);
		struct str text = str_from(vectors[i].text), none = {NULL, 0};
		struct err e;

		assert_non_null(k);
		assert_int_equal(
			b64url_decode(str_from(vectors[i].signature), &sig), 0);
		assert_int_equal(jwks_check(k, none, vectors[i].alg, text,
					    buf_view(&sig), &e),
				 0);
		sig.data[sig.len - 1] ^= 1;
		assert_int_equal(jwks_check(k, none, vectors[i].alg, text,
					    buf_view(&sig), &e),
				 -1);
		assert_int_equal(e.code, ERR_DENIED);
		jwks_free(k);
	}
}

static void what_is_no_key_is_left_out(void **state)
{
	static const char *const others[] = {
		"{\"kty\":\"oct\",\"k\":\"AAAA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
		/* not on the curve */
		"{\"kty\":\"EC\",\"crv\":\"P-256\","
		"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}",
		/* x with a byte in front */
		"{\"kty\":\"EC\",\"crv\":\"P-256\","
		"\"x\":\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\","
		"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AAAA\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"key_ops\":[\"sign\"],"
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"ES256\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"alg\":\"PS256\","
		"\"n\":\"" RFC_N "\"}",
		/* even exponent, exponent 1, padding in base64 */
		"{\"kty\":\"RSA\",\"e\":\"AQAA\",\"n\":\"" RFC_N "\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" RFC_N "\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAB==\",\"n\":\"" RFC_N "\"}",
		"7",
		"{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);

		buf_printf(&b, "{\"keys\":[%s," RFC_P256 "],\"more\":1}",
			   others[i]);
		if (count(buf_cstr(&b)) != 1)
			fail_msg("%s", others[i]);
	}
}

static void a_weak_rsa_key_is_left_out(void **state)
{
	static const struct {
		size_t bits, n;
	} rows[] = {
		{1024, 0},
                {2047, 0},
                {2048, 1}
        };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(TEXT_ROOM);
		EVP_PKEY *key = EVP_RSA_gen((unsigned)rows[i].bits);

		buf_puts(&b, "{\"keys\":[{");
		put_jwk(&b, key);
		buf_puts(&b, "}]}");
		assert_int_equal(count(buf_cstr(&b)), rows[i].n);
		EVP_PKEY_free(key);
	}
}

static void what_is_no_set_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"keys\":{}}",
		"{\"keys\":[]} x",
		"{\"keys\":[],\"keys\":[]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"kty\":\"OKP\"}]}",
		"{\"keys\":[" RFC_P256,
		"<html>",
	};
	CLEANUP_BUF struct buf b = BUF_INIT(JWKS_TEXT_MAX * 2);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (count(wrong[i]) != 1000)
			fail_msg("%s", wrong[i]);
	assert_int_equal(count("{\"keys\":[]}"), 0);
	buf_puts(&b, "{\"keys\":[1");
	for (size_t i = 0; i < JWKS_KEYS_MAX; i++)
		buf_puts(&b, ",1");
	buf_puts(&b, "]}");
	assert_int_equal(count(buf_cstr(&b)), 1000);
	buf_reset(&b);
	buf_puts(&b, "{\"keys\":[");
	while (b.len <= JWKS_TEXT_MAX)
		buf_puts(&b, "          ");
	buf_puts(&b, "]}");
	assert_int_equal(count(buf_cstr(&b)), 1000);
}

static void names(void **state)
{
#define NAMED(kid)                                                             \
	"{\"kid\":\"" kid "\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","            \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
	struct jwks *k = parse("{\"keys\":[" NAMED("a") "," NAMED("b") "]}");
	CLEANUP_BUF struct buf sig = BUF_INIT(1024);
	struct str text = str_from(vectors[2].text);
	struct err e;

	(void)state;
	assert_int_equal(jwks_len(k), 2);
	assert_int_equal(b64url_decode(str_from(vectors[2].signature), &sig),
			 0);
	assert_int_equal(
		jwks_check(k, STR("b"), JWT_EDDSA, text, buf_view(&sig), &e),
		0);
	assert_int_equal(
		jwks_check(k, STR("c"), JWT_EDDSA, text, buf_view(&sig), &e),
		-1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	/* the same name, but as a key of another kind */
	assert_int_equal(
		jwks_check(k, STR("b"), JWT_ES256, text, buf_view(&sig), &e),
		-1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	/* without a name there must be no choice */
	assert_int_equal(jwks_check(k, str_n(NULL, 0), JWT_EDDSA, text,
				    buf_view(&sig), &e),
			 -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	jwks_free(k);
	assert_int_equal(count("{\"keys\":[" NAMED("a") "," NAMED("a") "]}"),
			 1000);
	assert_int_equal(count("{\"keys\":[" NAMED("a") "," RFC_P256 "]}"), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_rfcs),
		cmocka_unit_test(what_is_no_key_is_left_out),
		cmocka_unit_test(a_weak_rsa_key_is_left_out),
		cmocka_unit_test(what_is_no_set_is_refused),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
