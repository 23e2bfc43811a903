/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A JSON object as fields; see object.h. */
#include "vault/object.h"
#include "vault/kv.h"

int object_fields(struct secret_view text, struct secret **ret, struct err *e)
{
	json_t *o;
	int r = 0;

	answer_begin(); /* its memory is wiped, also where no Vault is */
	o = json_loadb((const char *)text.bytes, text.n_bytes,
		       JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (json_is_object(o) && json_object_size(o))
		r = kv_pack(o, ret, e) ? -1 : 1;
	json_decref(o);
	return r;
}
