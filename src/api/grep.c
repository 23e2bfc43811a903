/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Looking for a literal; see grep.h. */
#include "api/grep.h"

#include <string.h>
#include <strings.h>

/* From one place that may begin it to the next. */
static bool match_any_case(struct str word, struct str line)
{
	char first = word.p[0];
	char other = first;

	if (first >= 'a' && first <= 'z')
		other = (char)(first - 'a' + 'A');
	else if (first >= 'A' && first <= 'Z')
		other = (char)(first - 'A' + 'a');
	for (size_t i = 0; i + word.len <= line.len; i++)
		if ((line.p[i] == first || line.p[i] == other) &&
		    !strncasecmp(line.p + i, word.p, word.len))
			return true;
	return false;
}

bool grep_match(const struct grep *g, struct str line)
{
	if (!g->word.len)
		return true;
	if (line.len < g->word.len)
		return false;
	if (g->ignore_case)
		return match_any_case(g->word, line);
	return memmem(line.p, line.len, g->word.p, g->word.len) != NULL;
}
