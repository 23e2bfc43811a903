/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as the body of an answer of Vault's: the first is its status. */
#include "vault/kv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_text(const char *s)
{
	if (strlen(s) > ANSWER_TEXT_MAX || !str_utf8_valid(str_from(s)))
		abort();
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f ||
		    !strncmp(s, "my-own-token", 12))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int statuses[] = {200, 204, 307, 400, 403, 404, 500, 503};
	static struct secret *token;
	const struct secret *list[1];
	const struct answer_masks masks = {list, 1};
	char mount[SECRET_REF_PATH_MAX + 1];
	struct vault_answer *a;
	struct secret *fields;
	uint8_t version;
	struct err e;

	if (!token) {
		answer_begin();
		if (secret_new("my-own-token", 12, 0, &token, &e))
			abort();
	}
	list[0] = token;
	if (!len ||
	    answer_read(statuses[data[0] % ARRAY_LEN(statuses)],
			str_n((const char *)data + 1, len - 1), &masks, &a, &e))
		return 0;
	check_text(a->errors);
	check_text(a->warnings);
	for (uint8_t kv = 1; kv <= 2; kv++)
		if (!kv_fields(a, kv, "kv/app", &fields, &e))
			secret_free(fields);
	if (!kv_mount_read(a, STR("kv/app"), mount, &version, &e) &&
	    strcmp(mount, "kv") != 0)
		abort();
	answer_free(a);
	return 0;
}
