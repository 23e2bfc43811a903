/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a token: it is taken apart or not, and is never a right one. */
#include "oidc/jwt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define KEYS                                                                   \
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\","          \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","               \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"              \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct str audience = {"nfo", 3};
	static struct jwks *keys;
	struct str text = str_n((const char *)data, len);
	struct jwt_rules rules = {.audiences = &audience,
				  .n_audiences = 1,
				  .algs = JWT_ALGS_ALL,
				  .skew_s = JWT_SKEW_S};
	struct err e;
	struct jwt t;

	if (!keys && jwks_parse(STR(KEYS), &keys, &e))
		abort();
	(void)jwt_looks_like(text);
	if (jwt_read(text, &t, &e))
		return 0;
	if (len > JWT_TEXT_MAX || !t.subject.len || !t.claims)
		abort();
	rules.issuer = t.issuer;
	if (!jwt_check(&t, &rules, keys, t.expires_s - 1, &e))
		abort(); /* nobody has these keys */
	jwt_done(&t);
	return 0;
}
