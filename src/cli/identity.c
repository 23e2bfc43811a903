/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo identity keys`: what the tokens of attempts are signed with. */
#include "base/hex.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	HALF = 32, /* bytes of a coordinate on P-256 */
	LINE = 64
};

/* Everything of a SubjectPublicKeyInfo before the point (RFC 5480): the curve
 * is always the same. */
static const unsigned char spki[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a,
				     0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
				     0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
				     0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static int put_coordinate(struct buf *der, const struct doc_node *key,
			  const char *name)
{
	CLEANUP_BUF struct buf raw = BUF_INIT(HALF);

	if (b64url_decode(cli_text(key, name), &raw) || raw.len != HALF)
		return -1;
	buf_put(der, raw.data, raw.len);
	return 0;
}

static int print_pem(const struct doc_node *key)
{
	CLEANUP_BUF struct buf der = BUF_INIT(sizeof(spki) + 2 * HALF),
			       text = BUF_INIT(256);

	buf_put(&der, spki, sizeof(spki));
	if (!str_is(cli_text(key, "crv"), "P-256") ||
	    put_coordinate(&der, key, "x") || put_coordinate(&der, key, "y") ||
	    !b64_encode(&text, der.data, der.len))
		return -1;
	puts("-----BEGIN PUBLIC KEY-----");
	for (size_t at = 0; at < text.len; at += LINE)
		printf("%.*s\n", LINE, buf_cstr(&text) + at);
	puts("-----END PUBLIC KEY-----");
	return 0;
}

static int print_all(const struct doc_node *root)
{
	const struct doc_node *keys = doc_get(root, "keys");

	for (const struct doc_node *k = keys ? keys->first : NULL; k;
	     k = k->next)
		if (print_pem(k)) {
			fputs("nfo: a key that is none of ours\n", stderr);
			return EXIT_REFUSED;
		}
	return EXIT_DONE;
}

int verb_identity(int argc, char **argv, const struct verb *v)
{
	bool pem = false;
	const struct opt opts[] = {
		{"pem", 0, OPT_FLAG, &pem, NULL,
		 "as PEM, for jwt_validation_pubkeys of Vault"},
	};
	struct http_call c = {.method = "GET",
			      .path = "/.well-known/jwks.json"};
	struct http_answer a;
	struct doc *d;
	size_t n;
	int code = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);

	if (code)
		return code > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 1 || strcmp(argv[0], "keys") != 0)
		return cli_usage(v);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	d = pem ? cli_json(&a) : NULL;
	if (pem)
		code = print_all(d ? d->root : NULL);
	else
		fwrite(a.body.data, 1, a.body.len, stdout);
	doc_free(d);
	http_answer_done(&a);
	return code;
}
