/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A secret's value, sealed for the keeper before it leaves this program. */
#include "secrets/sealed.h"
#include "base/hex.h"
#include "cli/secret.h"

#include <inttypes.h>
#include <stdio.h>

/* What has to be there, as secrets/sealed.h has it. */
static struct str expect_of(const char *version, char room[24])
{
	uint64_t v;

	if (!version || str_to_u64(str_from(version), UINT64_MAX, &v))
		return STR("any");
	(void)snprintf(room, 24, "%" PRIu64, v);
	return v ? str_from(room) : STR("none");
}

/* The keeper's key, and with it what whoever carries it cannot read. */
int secret_to_seal(const char *project, const char *name, const char *version,
		   struct str value, struct buf *ret)
{
	struct http_call c = {.method = "GET", .path = "/v1/sealing-key"};
	CLEANUP_BUF struct buf key = BUF_INIT(64);
	char room[24];
	struct sealed_place p = {str_n("", 0), str_from(project),
				 str_from(name), expect_of(version, room)};
	struct http_answer a;
	struct doc *d;
	struct err e;
	int64_t at;
	int code = cli_ask(&c, &a);

	if (code)
		return code;
	d = cli_json(&a);
	p.store = cli_text(d ? d->root : NULL, "store");
	if (!d || b64url_decode(cli_text(d->root, "public_key"), &key) ||
	    key.len != X25519_PUBLIC_LEN ||
	    str_to_i64(cli_text(d->root, "time"), 1, INT64_MAX, &at)) {
		fputs("nfo: the server has no key to seal it to (--plain "
		      "sends it as it is)\n",
		      stderr);
		code = EXIT_REFUSED;
	} else {
		buf_puts(ret, "{\"sealed\":\"");
		if (sealed_make(cli_text(d->root, "kid"),
				(const unsigned char *)key.data, at, &p, value,
				ret, &e))
			code = cli_fail(&e);
		buf_puts(ret, "\"}");
	}
	doc_free(d);
	http_answer_done(&a);
	return code;
}
