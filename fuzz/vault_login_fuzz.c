/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as the answer to a login, a renewal, a look-up, an unwrapping. */
#include "vault/login.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void word(const struct secret *s)
{
	struct secret_view v = secret_bytes(s);

	if (!v.n_bytes || v.n_bytes > ANSWER_TOKEN_MAX)
		abort();
	for (size_t i = 0; i < v.n_bytes; i++)
		if (v.bytes[i] <= ' ' || v.bytes[i] > '~')
			abort();
}

static void says(int bad, const struct err *e)
{
	if (bad && (!e->code || !e->text[0] || strlen(e->text) >= ERR_TEXT_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct provider p = {.vault_namespace = "ns",
					  .auth_mount = "approle",
					  .auth_role = "r"};
	static bool begun;
	struct secret *token = NULL, *id = NULL;
	struct life_news n = {0};
	struct vault_answer *a;
	struct err e = {0};

	if (!begun)
		answer_begin();
	begun = true;
	if (answer_read(200, str_n((const char *)data, len), NULL, &a, &e))
		return 0;
	says(login_read_lookup(a, &n, &e), &e);
	says(login_read_renewal(a, &n, &e), &e);
	says(login_wrap_check(&p, a, &e), &e);
	if (!login_unwrap_read(a, &id, &e))
		word(id);
	if (!login_read(a, &n, &token, &e))
		word(token);
	secret_free(id);
	secret_free(token);
	answer_free(a);
	return 0;
}
