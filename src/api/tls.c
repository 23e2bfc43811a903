/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Certificates, of the server and of its clients; see tls.h. */
#include "api/tls.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

enum {
	NAME_MAX_BYTES = 256,
	NAMES_MAX = 16, /* that are looked at in a certificate */
	CHAIN_MAX = 16,
	WARN_DAYS = 14
};

#define DAY_US (INT64_C(86400) * 1000000)

const char tls_priorities[] =
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SHA1";

struct tls_creds {
	unsigned users;
	gnutls_certificate_credentials_t x509;
	int64_t until_us;
};

struct tls {
	enum client_certs client_certs;
	struct tls_creds *now;
};

/* --- what is in the files ------------------------------------------------- */

static int wrong(struct err *e, const char *what, int code)
{
	return err_set(e, ERR_INVALID, "%s: %s", what, gnutls_strerror(code));
}

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){.data = (unsigned char *)b->data,
				.size = (unsigned)b->len};
}

static int find_end(struct tls_creds *c, struct err *e)
{
	gnutls_x509_crt_t *list = NULL;
	unsigned n = 0;
	int r = gnutls_certificate_get_x509_crt(c->x509, 0, &list, &n);

	if (r < 0 || !n)
		return wrong(e, "certificate", r);
	c->until_us =
		(int64_t)gnutls_x509_crt_get_expiration_time(list[0]) * 1000000;
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return 0;
}

static int take_pair(struct tls_creds *c, const int *fds, struct err *e)
{
	struct buf cert = BUF_INIT(TLS_CERT_MAX), key = BUF_INIT(TLS_KEY_MAX);
	gnutls_datum_t cd, kd;
	int r = -1;

	if (fd_memfd_read(fds[TLS_CERT], &cert, e) ||
	    fd_memfd_read(fds[TLS_KEY], &key, e))
		goto out;
	cd = datum(&cert);
	kd = datum(&key);
	r = gnutls_certificate_set_x509_key_mem2(c->x509, &cd, &kd,
						 GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r < 0)
		wrong(e, "certificate and key", r);
out:
	buf_done(&cert);
	buf_wipe(&key);
	return r < 0 ? -1 : find_end(c, e);
}

/* Called in the handshake: whoever shows a certificate shows a good one. */
static int judge(gnutls_session_t s)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned n = 0, status = 0;

	if (!gnutls_certificate_get_peers(s, &n) || !n)
		return 0; /* where one is required GnuTLS has refused */
	if (gnutls_certificate_verify_peers(s, &purpose, 1, &status) || status)
		return GNUTLS_E_CERTIFICATE_ERROR;
	return 0;
}

static int take_cas(struct tls_creds *c, int fd, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TLS_CLIENT_CA_MAX);
	gnutls_datum_t d;
	int n;

	if (fd_memfd_read(fd, &b, e))
		return -1;
	d = datum(&b);
	n = gnutls_certificate_set_x509_trust_mem(c->x509, &d,
						  GNUTLS_X509_FMT_PEM);
	if (n <= 0)
		return wrong(e, "client CA",
			     n ? n : GNUTLS_E_NO_CERTIFICATE_FOUND);
	gnutls_certificate_set_verify_function(c->x509, judge);
	return 0;
}

static void creds_free(struct tls_creds *c)
{
	gnutls_certificate_free_credentials(c->x509);
	mem_free(c);
}

static int creds_new(const int *fds, size_t n, enum client_certs client_certs,
		     struct tls_creds **ret, struct err *e)
{
	struct tls_creds *c = mem_alloc(sizeof(*c));

	c->users = 1;
	if (gnutls_certificate_allocate_credentials(&c->x509) < 0) {
		mem_free(c);
		return err_set(e, ERR_INTERNAL, "GnuTLS has no memory");
	}
	if (n != (client_certs ? N_TLS_FDS : N_TLS_FDS - 1))
		err_set(e, ERR_INTERNAL, "TLS: %zu files", n);
	else if (!take_pair(c, fds, e) &&
		 (!client_certs || !take_cas(c, fds[TLS_CLIENT_CA], e))) {
		*ret = c;
		return 0;
	}
	creds_free(c);
	return -1;
}

static void say_until(const struct tls_creds *c)
{
	char text[CLOCK_TEXT_LEN + 1];
	int64_t left = c->until_us - clock_real_us();

	clock_format(c->until_us, text);
	if (left < 0)
		log_warn("the certificate ran out at %s", text);
	else if (left < WARN_DAYS * DAY_US)
		log_warn("the certificate runs out at %s", text);
}

int tls_new(const int *fds, size_t n, enum client_certs client_certs,
	    struct tls **ret, struct err *e)
{
	struct tls_creds *c;

	if (creds_new(fds, n, client_certs, &c, e))
		return -1;
	say_until(c);
	*ret = mem_alloc(sizeof(**ret));
	**ret = (struct tls){client_certs, c};
	return 0;
}

int tls_change(struct tls *t, const int *fds, size_t n, struct err *e)
{
	struct tls_creds *c;

	if (creds_new(fds, n, t->client_certs, &c, e))
		return -1;
	say_until(c);
	tls_creds_put(t->now);
	t->now = c;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	tls_creds_put(t->now);
	mem_free(t);
}

int64_t tls_until_us(const struct tls *t)
{
	return t->now->until_us;
}

/* --- a connection ------------------------------------------------------- */

static int no_certificate(gnutls_session_t s, const gnutls_datum_t *cas, int n,
			  const gnutls_pk_algorithm_t *algorithms, int n_algos,
			  gnutls_pcert_st **cert, unsigned *n_certs,
			  gnutls_privkey_t *key)
{
	(void)s;
	(void)cas;
	(void)n;
	(void)algorithms;
	(void)n_algos;
	(void)cert;
	(void)n_certs;
	(void)key;
	return -1;
}

tls_callback *tls_no_callback(void)
{
	return (tls_callback *)(uintptr_t)no_certificate;
}

struct tls_creds *tls_begin(struct tls *t, void *session)
{
	static const gnutls_certificate_request_t requests[] = {
		[CLIENT_CERTS_NONE] = GNUTLS_CERT_IGNORE,
		[CLIENT_CERTS_OPTIONAL] = GNUTLS_CERT_REQUEST,
		[CLIENT_CERTS_REQUIRED] = GNUTLS_CERT_REQUIRE,
	};

	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
				   t->now->x509) < 0)
		return NULL;
	gnutls_certificate_server_set_request(session,
					      requests[t->client_certs]);
	t->now->users++;
	return t->now;
}

void tls_creds_put(struct tls_creds *c)
{
	if (c && !--c->users)
		creds_free(c);
}

bool tls_is_now(const struct tls *t, const struct tls_creds *c)
{
	return t->now == c;
}

/* --- who the client is -------------------------------------------------- */

/* What could be taken for something else is left out. */
static void add_id(struct buf *ids, const char *kind, const char *s, size_t len)
{
	if (!len || len >= NAME_MAX_BYTES)
		return;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return;
	buf_puts(ids, kind);
	buf_put(ids, s, len);
	buf_putc(ids, '\0');
}

static void add_names(gnutls_x509_crt_t crt, unsigned want, const char *kind,
		      struct buf *ids)
{
	char name[NAME_MAX_BYTES];

	for (unsigned i = 0; i < NAMES_MAX; i++) {
		size_t len = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name,
								&len, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return;
		if (type == (int)want)
			add_id(ids, kind, name, len);
	}
}

static int add_ids(const gnutls_datum_t *der, struct buf *ids, struct err *e)
{
	unsigned char digest[32];
	char hex[2 * sizeof(digest) + 1], name[NAME_MAX_BYTES];
	size_t len = sizeof(digest);
	gnutls_x509_crt_t crt;

	if (gnutls_fingerprint(GNUTLS_DIG_SHA256, der, digest, &len) < 0 ||
	    len != sizeof(digest) || gnutls_x509_crt_init(&crt) < 0)
		return err_set(e, ERR_INTERNAL, "a certificate without digest");
	hex_encode(digest, sizeof(digest), hex);
	add_id(ids, "sha256:", hex, sizeof(hex) - 1);
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) >= 0) {
		add_names(crt, GNUTLS_SAN_URI, "uri:", ids);
		add_names(crt, GNUTLS_SAN_RFC822NAME, "email:", ids);
		add_names(crt, GNUTLS_SAN_DNSNAME, "dns:", ids);
		len = sizeof(name);
		if (gnutls_x509_crt_get_dn_by_oid(crt,
						  GNUTLS_OID_X520_COMMON_NAME,
						  0, 0, name, &len) >= 0)
			add_id(ids, "cn:", name, len);
	}
	gnutls_x509_crt_deinit(crt);
	return ids->failed ? err_set(e, ERR_DENIED,
				     "a certificate with too many names") :
			     0;
}

/* By the CAs of now, whatever they were when it was shown. */
static int judge_anew(const struct tls *t, const gnutls_datum_t *chain,
		      unsigned n, struct err *e)
{
	gnutls_x509_crt_t list[CHAIN_MAX];
	gnutls_x509_trust_list_t cas;
	unsigned status = 1, have = 0;

	gnutls_certificate_get_trust_list(t->now->x509, &cas);
	while (have < n && have < CHAIN_MAX &&
	       gnutls_x509_crt_init(&list[have]) >= 0) {
		int r = gnutls_x509_crt_import(list[have], &chain[have],
					       GNUTLS_X509_FMT_DER);

		have++;
		if (r < 0)
			goto out;
	}
	if (have < n || gnutls_x509_trust_list_verify_crt(cas, list, have, 0,
							  &status, NULL) < 0)
		status = 1;
out:
	for (unsigned i = 0; i < have; i++)
		gnutls_x509_crt_deinit(list[i]);
	return status ? err_set(e, ERR_DENIED,
				"the client's certificate is no longer valid") :
			0;
}

int tls_client(const struct tls *t, const struct tls_creds *creds,
	       void *session, struct buf *ids, struct err *e)
{
	const gnutls_datum_t *chain;
	unsigned n = 0;

	if (!t->client_certs)
		return 0;
	chain = gnutls_certificate_get_peers(session, &n);
	if (!chain || !n)
		return 0;
	if (creds != t->now && judge_anew(t, chain, n, e))
		return -1;
	return add_ids(&chain[0], ids, e);
}
