/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as the URL, ref and path of a repository: what is taken cannot be
 * an option, an expression or a second line. */
#include "job/git.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void harmless(struct str s)
{
	if (!s.len || s.p[0] == '-' || memchr(s.p, '\n', s.len) ||
	    memchr(s.p, '\0', s.len) || memmem(s.p, s.len, "${", 2))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str s = str_n((const char *)data, len);

	if (!job_git_url(s)) {
		harmless(s);
		if (memchr(s.p, '"', s.len) || job_git_is_ssh(s))
			abort();
	}
	if (!job_git_ref(s))
		harmless(s);
	if (!job_git_path(s)) {
		if (s.p[0] == '/' || memmem(s.p, s.len, "/../", 4) ||
		    memchr(s.p, '\n', s.len))
			abort();
	}
	return 0;
}
