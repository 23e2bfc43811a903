/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a record of the journal; what is taken is written as it was. */
#include "vault/journal_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct wire_writer w;
	struct secret *token = NULL;
	struct journal_record r;
	struct err e;

	if (len > JOURNAL_RECORD_MAX ||
	    journal_record_decode(data, len, &r, &token))
		return 0;
	w.len = 0;
	w.failed = false;
	if (journal_record_encode(&r, &w, &e) || w.len != len ||
	    memcmp(w.data, data, len))
		abort();
	secret_free(token);
	return 0;
}
