/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any text into the parser of references; what it takes has one spelling. */
#include "secrets/ref.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_BUF struct buf again = BUF_INIT(SECRET_REF_TEXT_MAX);
	struct str text = str_n((const char *)data, len);
	struct secret_ref r;
	struct err e;

	if (secret_ref_parse(text, &r, &e))
		return 0;
	if (secret_ref_format(&r, &again, &e) ||
	    !str_eq(buf_view(&again), text))
		abort();
	return 0;
}
