/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a provider's keys. */
#include "oidc/jwk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char zeros[64];
	struct jwks *k;
	struct err e;

	if (jwks_parse(str_n((const char *)data, len), &k, &e))
		return 0;
	if (jwks_len(k) > JWKS_KEYS_MAX)
		abort();
	for (int alg = 0; alg < N_JWT_ALGS; alg++)
		if (!jwks_check(k, str_n(NULL, 0), (enum jwt_alg)alg, STR("x"),
				str_n(zeros, sizeof(zeros)), &e) &&
		    alg != JWT_EDDSA) /* a small point may take it */
			abort();
	jwks_free(k);
	return 0;
}
