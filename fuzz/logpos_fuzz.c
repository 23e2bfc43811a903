/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as the id of a run's log (Last-Event-ID): what is taken says the
 * same again, and no attempt twice. */
#include "api/logpos.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf b CLEANUP_BUF = BUF_INIT(LOGPOS_TEXT_MAX);
	static struct logpos p, again;

	if (logpos_parse(str_n((const char *)data, len), &p))
		return 0;
	for (size_t i = 0; i < p.n; i++)
		if (!p.open[i].attempt || p.open[i].attempt > p.last ||
		    (i && p.open[i].attempt <= p.open[i - 1].attempt) ||
		    logpos_of(&p, p.open[i].attempt) != p.open[i].seq)
			abort();
	logpos_write(&p, &b);
	if (b.failed || logpos_parse(buf_view(&b), &again) ||
	    again.last != p.last || again.n != p.n)
		abort();
	return 0;
}
