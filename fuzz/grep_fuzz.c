/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A word and a line, cut at the first NUL: found where a slow search finds
 * it. */
#include "api/grep.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool slow(struct str word, struct str line, bool any_case)
{
	for (size_t i = 0; i + word.len <= line.len; i++) {
		size_t n = 0;

		for (; n < word.len; n++) {
			char a = word.p[n], b = line.p[i + n];

			if (any_case && a >= 'A' && a <= 'Z')
				a = (char)(a + 32);
			if (any_case && b >= 'A' && b <= 'Z')
				b = (char)(b + 32);
			if (a != b)
				break;
		}
		if (n == word.len)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *nul = len ? memchr(data, 0, len) : NULL;
	struct str word =
		str_n((const char *)data, nul ? (size_t)(nul - data) : len);
	struct str line = nul ? str_n((const char *)nul + 1,
				      len - (size_t)(nul + 1 - data)) :
				STR("");

	for (int any_case = 0; any_case < 2; any_case++) {
		const struct grep g = {word, any_case};

		if (word.len > GREP_WORD_MAX)
			return 0;
		if (grep_match(&g, line) != slow(word, line, any_case))
			abort();
	}
	return 0;
}
