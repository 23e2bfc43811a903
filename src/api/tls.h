/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What TLS connections are made with: a certificate and its key, and whose
 * certificates clients may show.  Connections keep what they began with; new
 * ones get what is there now.  Nobody else knows GnuTLS.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "proto/edges.h"

struct tls;
struct tls_creds;

enum client_certs {
	CLIENT_CERTS_NONE, /* not asked for */
	CLIENT_CERTS_OPTIONAL,
	CLIENT_CERTS_REQUIRED,
	N_CLIENT_CERTS
};

/*
 * fds  sealed memory files in the order of enum tls_fd, PEM; borrowed for the
 *      call.  The last is there when client certificates are asked for.
 *
 * Fails with ERR_INVALID, saying which of them is wrong and how.
 */
MUST_USE int tls_new(const int *fds, size_t n, enum client_certs client_certs,
		     struct tls **ret, struct err *e);
/* The same for what was read anew; on failure everything stays. */
MUST_USE int tls_change(struct tls *t, const int *fds, size_t n, struct err *e);
void tls_free(struct tls *t); /* creds that are in use stay */
/* When the certificate runs out, real time. */
int64_t tls_until_us(const struct tls *t);

/* For libmicrohttpd: TLS 1.2 and 1.3, forward secrecy. */
extern const char tls_priorities[];
/* It wants one of these and never calls it: tls_begin() comes first. */
typedef void tls_callback(void);
tls_callback *tls_no_callback(void);

/* A connection begins, before its first byte; session is GnuTLS's.  Put what
 * it returns back when the connection is gone; NULL: it cannot be. */
struct tls_creds *tls_begin(struct tls *t, void *session);
void tls_creds_put(struct tls_creds *c);

/* Is that what new connections begin with? */
bool tls_is_now(const struct tls *t, const struct tls_creds *c);

/*
 * Who the client is by its certificate, after the handshake: a list of
 * "sha256:...", "uri:...", "email:...", "dns:...", "cn:...", each with a NUL
 * behind it.  Nothing is appended when it showed none.
 *
 * creds  what the connection began with: when others are in use by now, the
 *        certificate is judged anew.
 *
 * Fails with ERR_DENIED when it is not, or no longer, a valid one.
 */
MUST_USE int tls_client(const struct tls *t, const struct tls_creds *creds,
			void *session, struct buf *ids, struct err *e);
