/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a profile; what is read is bounded, and compiles or is refused
 * by name. */
#include "base/mem.h"
#include "sandbox/profile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct profile_text text;
	struct profile p = {.name = ""};
	struct err e = {.text = ""};

	if (profile_read(STR("fuzz"), str_n((const char *)data, len), &text,
			 &e)) {
		if (strncmp(e.text, "fuzz:", 5) != 0)
			abort(); /* every error names its place */
		return 0;
	}
	if (!text.name[0] || text.n_calls > PROFILE_CALLS_MAX)
		abort();
	if (!profile_compile(&text, &p, &e)) {
		if (!p.filter.len)
			abort();
		mem_free(p.filter.filter);
	}
	return 0;
}
