/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Certificate requests by OpenSSL; see csr.h. */
#include "secrets/csr.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/mem.h"

enum {
	CN_MAX = 64,
	NAME_MAX_LEN =
		253, /* of a DNS name (RFC 1035), and enough for others */
	KEY_TEXT_MAX = 1024
};

static void pkey_cleanup(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void req_cleanup(X509_REQ **r)
{
	X509_REQ_free(*r);
}

static void names_cleanup(GENERAL_NAMES **n)
{
	GENERAL_NAMES_free(*n);
}

static void bio_cleanup(BIO **b)
{
	BIO_free(*b);
}

static void exts_cleanup(STACK_OF(X509_EXTENSION) * *x)
{
	sk_X509_EXTENSION_pop_free(*x, X509_EXTENSION_free);
}

static int failed(struct err *e)
{
	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "making a certificate request failed");
}

/* --- names ---------------------------------------------------------------- */

static bool visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len && s.len <= NAME_MAX_LEN;
}

static int add(GENERAL_NAMES *names, int type, const void *p, size_t len,
	       struct err *e)
{
	GENERAL_NAME *n = GENERAL_NAME_new();
	ASN1_STRING *v = ASN1_STRING_type_new(
		type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

	if (n && v && ASN1_STRING_set(v, p, (int)len) == 1) {
		GENERAL_NAME_set0_value(n, type, v);
		if (sk_GENERAL_NAME_push(names, n) > 0)
			return 0;
		v = NULL; /* n's now */
	}
	ASN1_STRING_free(v);
	GENERAL_NAME_free(n);
	return failed(e);
}

static int add_host(GENERAL_NAMES *names, struct str s, struct err *e)
{
	return add(names, str_has(s, '@') ? GEN_EMAIL : GEN_DNS, s.p, s.len, e);
}

static int add_uri(GENERAL_NAMES *names, struct str s, struct err *e)
{
	return add(names, GEN_URI, s.p, s.len, e);
}

static int add_ip(GENERAL_NAMES *names, struct str s, struct err *e)
{
	char text[INET6_ADDRSTRLEN + 1];
	unsigned char addr[16];

	if (s.len < sizeof(text)) {
		memcpy(text, s.p, s.len);
		text[s.len] = '\0';
		if (inet_pton(AF_INET, text, addr) == 1)
			return add(names, GEN_IPADD, addr, 4, e);
		if (inet_pton(AF_INET6, text, addr) == 1)
			return add(names, GEN_IPADD, addr, 16, e);
	}
	return err_set(e, ERR_INVALID, "ip_sans: no address of a machine");
}

static int add_list(GENERAL_NAMES *names, const char *what, struct str list,
		    int (*fn)(GENERAL_NAMES *, struct str, struct err *),
		    struct err *e)
{
	for (size_t n = 0; list.len; n++) {
		struct str one = str_trim(str_cut(&list, ','));

		if (n == CSR_NAMES_MAX)
			return err_set(e, ERR_LIMIT, "%s: more than %d names",
				       what, CSR_NAMES_MAX);
		if (!visible(one))
			return err_set(e, ERR_INVALID,
				       "%s: not a list of names", what);
		if (fn(names, one, e))
			return -1;
	}
	return 0;
}

static int add_sans(X509_REQ *req, const struct csr_subject *s, struct err *e)
{
	GENERAL_NAMES *names CLEANUP(names_cleanup) = GENERAL_NAMES_new();
	STACK_OF(X509_EXTENSION) * exts CLEANUP(exts_cleanup) = NULL;

	if (!names)
		return failed(e);
	if (add_list(names, "alt_names", s->alt_names, add_host, e) ||
	    add_list(names, "ip_sans", s->ip_sans, add_ip, e) ||
	    add_list(names, "uri_sans", s->uri_sans, add_uri, e))
		return -1;
	if (!sk_GENERAL_NAME_num(names))
		return s->common_name.len ?
			       0 :
			       err_set(e, ERR_INVALID,
				       "a certificate is for a common_name, "
				       "alt_names, ip_sans or uri_sans");
	if (X509V3_add1_i2d(&exts, NID_subject_alt_name, names,
			    !s->common_name.len, X509V3_ADD_APPEND) != 1 ||
	    X509_REQ_add_extensions(req, exts) != 1)
		return failed(e);
	return 0;
}

static int add_subject(X509_REQ *req, struct str cn, struct err *e)
{
	X509_NAME *name = X509_REQ_get_subject_name(req);

	if (!cn.len)
		return 0;
	if (cn.len > CN_MAX || !str_utf8_valid(cn) || str_has(cn, '\0'))
		return err_set(e, ERR_INVALID,
			       "common_name: up to %d bytes of UTF-8", CN_MAX);
	if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
				       (const unsigned char *)cn.p, (int)cn.len,
				       -1, 0) != 1)
		return failed(e);
	return 0;
}

/* --- text ----------------------------------------------------------------- */

/* A BIO that wipes what it gives back. */
static int key_text(const EVP_PKEY *key, struct secret **ret, struct err *e)
{
	BIO *b CLEANUP(bio_cleanup) = BIO_new(BIO_s_secmem());
	char *p;
	long n;

	if (!b || PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL,
						NULL) != 1)
		return failed(e);
	n = BIO_get_mem_data(b, &p);
	if (n <= 0 || n > KEY_TEXT_MAX)
		return failed(e);
	return secret_new(p, (size_t)n, 0, ret, e);
}

static int request_text(X509_REQ *req, struct buf *to, struct err *e)
{
	BIO *b CLEANUP(bio_cleanup) = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (!b || PEM_write_bio_X509_REQ(b, req) != 1)
		return failed(e);
	n = BIO_get_mem_data(b, &p);
	if (n <= 0 || !buf_put(to, p, (size_t)n))
		return err_set(e, ERR_LIMIT, "the request is too long");
	return 0;
}

int csr_new(const struct csr_subject *s, struct secret **ret_key,
	    struct buf *request, struct err *e)
{
	EVP_PKEY *key CLEANUP(pkey_cleanup) = EVP_EC_gen("P-256");
	X509_REQ *req CLEANUP(req_cleanup) = X509_REQ_new();

	if (!key || !req || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1)
		return failed(e);
	if (add_subject(req, s->common_name, e) || add_sans(req, s, e))
		return -1;
	if (X509_REQ_set_pubkey(req, key) != 1 ||
	    X509_REQ_sign(req, key, EVP_sha256()) <= 0)
		return failed(e);
	if (request_text(req, request, e))
		return -1;
	return key_text(key, ret_key, e);
}
