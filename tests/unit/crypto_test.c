/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Known answers for the ciphers and the derivation, and what must not open. */
#include "base/hex.h"
#include "secrets/crypto.h"
#include "secrets/wipe.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef int cipher_fn(const unsigned char *, const unsigned char *, struct str,
		      const unsigned char *, size_t, unsigned char *,
		      unsigned char *, struct err *);
typedef int open_fn(const unsigned char *, const unsigned char *, struct str,
		    const unsigned char *, size_t, const unsigned char *,
		    unsigned char *, struct err *);

struct vector {
	const char *key, *nonce, *aad, *plain, *sealed; /* hexadecimal */
};

/* NIST's GCM test cases 13 to 16 (McGrew and Viega, appendix B). */
#define KEY16 "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define TEXT15                                                                 \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"     \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define SEALED15                                                               \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"     \
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define ZEROS32 "00000000000000000000000000000000"

static const struct vector gcm[] = {
	{ZEROS32 ZEROS32, "000000000000000000000000", "", "",
	 "530f8afbc74536b9a963b4f1c4cb738b"                                },
	{ZEROS32 ZEROS32, "000000000000000000000000", "", ZEROS32,
	 "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{KEY16,           "cafebabefacedbaddecaf888", "", TEXT15 "1aafd255",
	 SEALED15 "898015adb094dac5d93471bdec1a502270e3cc6c"               },
	{KEY16,           "cafebabefacedbaddecaf888",
	 "feedfacedeadbeeffeedfacedeadbeefabaddad2",      TEXT15,
	 SEALED15 "76fc6ece0f4e1768cddf8853bb2d551b"                       },
};

/* https://c2sp.org/XAES-256-GCM, test vectors. */
#define ONES "0101010101010101010101010101010101010101010101010101010101010101"
#define THREES                                                                 \
	"0303030303030303030303030303030303030303030303030303030303030303"
#define XNONCE "4142434445464748494a4b4c4d4e4f505152535455565758"
#define XTEXT  "584145532d3235362d47434d" /* XAES-256-GCM */

static const struct vector xaes[] = {
	{ONES,   XNONCE, "",					   XTEXT,
	 "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
	{THREES, XNONCE, "633273702e6f72672f584145532d3235362d47434d", XTEXT,
	 "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
};

static size_t unhex(const char *hex, unsigned char *out)
{
	size_t len = strlen(hex) / 2;

	assert_int_equal(hex_decode(str_from(hex), out, len), 0);
	return len;
}

static void check_vector(const struct vector *v, cipher_fn *seal, open_fn *open)
{
	unsigned char key[32], nonce[24], aad[64], plain[64], want[80];
	unsigned char got[64], tag[16], back[64];
	size_t len = unhex(v->plain, plain);
	struct str a = str_n((char *)aad, unhex(v->aad, aad));
	struct err e;

	unhex(v->key, key);
	unhex(v->nonce, nonce);
	assert_int_equal(unhex(v->sealed, want), len + 16);
	assert_int_equal(seal(key, nonce, a, plain, len, got, tag, &e), 0);
	assert_memory_equal(got, want, len);
	assert_memory_equal(tag, want + len, 16);
	assert_int_equal(open(key, nonce, a, got, len, tag, back, &e), 0);
	assert_memory_equal(back, plain, len);
	/* In place. */
	assert_int_equal(open(key, nonce, a, got, len, tag, got, &e), 0);
	assert_memory_equal(got, plain, len);
}

/* What OpenSSL gets is what is wiped; all that follows runs on it. */
static void test_heap(void **state)
{
	struct err e;
	void *p;

	(void)state;
	assert_int_equal(crypto_heap_init(&e), 0);
	p = OPENSSL_malloc(37);
	assert_int_equal(wipe_size(p), 37);
	p = OPENSSL_realloc(p, 38);
	assert_int_equal(wipe_size(p), 38);
	assert_null(OPENSSL_realloc(p, 0));
	assert_null(OPENSSL_malloc(0));
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gcm); i++)
		check_vector(&gcm[i], crypto_gcm_seal, crypto_gcm_open);
	for (size_t i = 0; i < ARRAY_LEN(xaes); i++)
		check_vector(&xaes[i], crypto_xaes_seal, crypto_xaes_open);
}

/* One bit anywhere, in the key, nonce, aad, text or tag. */
static void check_bits(cipher_fn *seal, open_fn *open, size_t nonce_len)
{
	unsigned char in[32 + 24 + 8 + 20 + 16] = {0}, out[20];
	unsigned char *key = in, *nonce = in + 32, *aad = in + 56;
	unsigned char *text = in + 64, *tag = in + 84;
	static const unsigned char zeros[20];
	struct str a = str_n((char *)aad, 8);
	struct err e;

	memset(in, 0x5a, sizeof(in));
	assert_int_equal(seal(key, nonce, a, text, 20, text, tag, &e), 0);
	assert_int_equal(open(key, nonce, a, text, 20, tag, out, &e), 0);
	for (size_t i = 0; i < sizeof(in) * 8; i++) {
		if (i / 8 >= 32 + nonce_len && i / 8 < 56)
			continue;
		in[i / 8] ^= (unsigned char)(1 << i % 8);
		memset(out, 1, sizeof(out));
		assert_int_equal(open(key, nonce, a, text, 20, tag, out, &e),
				 -1);
		assert_int_equal(e.code, ERR_INVALID);
		assert_memory_equal(out, zeros, sizeof(out));
		in[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	assert_int_equal(
		open(key, nonce, str_n(a.p, 7), text, 20, tag, out, &e), -1);
	assert_int_equal(open(key, nonce, a, text, 19, tag, out, &e), -1);
}

static void test_bits(void **state)
{
	(void)state;
	check_bits(crypto_gcm_seal, crypto_gcm_open, CRYPTO_NONCE_LEN);
	check_bits(crypto_xaes_seal, crypto_xaes_open, CRYPTO_XNONCE_LEN);
}

/* RFC 5869, appendix A.1 to A.3. */
static const struct {
	const char *key, *salt, *info, *out;
} hkdf[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
	 "000102030405060708090a0b0c",							    "f0f1f2f3f4f5f6f7f8f9",
	 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
	 "34007208d5b887185865"																			     },
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	 "404142434445464748494a4b4c4d4e4f",    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
	 "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
	 "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	 "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
	 "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
	 "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
	 "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "",                                      "",
	 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
	 "9d201395faa4b61a96c8"																			     },
};

static void test_hkdf(void **state)
{
	unsigned char key[80], salt[80], info[80], want[82], got[82];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hkdf); i++) {
		size_t key_len = unhex(hkdf[i].key, key);
		size_t len = unhex(hkdf[i].out, want);
		struct str s = str_n((char *)salt, unhex(hkdf[i].salt, salt));
		struct str n = str_n((char *)info, unhex(hkdf[i].info, info));
		struct err e;

		assert_int_equal(crypto_hkdf(key, key_len, s, n, got, len, &e),
				 0);
		assert_memory_equal(got, want, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap), /* the first */
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_hkdf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
