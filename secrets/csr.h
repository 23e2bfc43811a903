/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A P-256 key for one attempt and the request to have it certified: the key
 * stays, only the request travels (RFC 2986).
 */
#pragma once

#include "base/buf.h"
#include "secrets/secret.h"

enum {
	CSR_NAMES_MAX = 32, /* of each list */
	CSR_TEXT_MAX = 4096 /* of the request, PEM */
};

/* What is asked for; each list "a,b,c" as Vault's PKI takes it, or empty. */
struct csr_subject {
	struct str
		common_name;  /* up to 64 bytes (RFC 5280 A.1); may be empty */
	struct str alt_names; /* DNS names; with an "@" mail addresses */
	struct str ip_sans;
	struct str uri_sans;
};

/*
 * ret_key  PEM, PKCS #8, not enciphered; owned by the caller
 * request  PEM; appended, room for CSR_TEXT_MAX
 *
 * Fails with ERR_INVALID when a name is none or there are no names at all,
 * ERR_LIMIT when there are too many, ERR_INTERNAL when OpenSSL fails.
 */
MUST_USE int csr_new(const struct csr_subject *s, struct secret **ret_key,
		     struct buf *request, struct err *e);
