/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Leases as JSON, without what the provider calls them: who has that and the
 * right to may revoke them. */
#include "base/clock.h"
#include "base/mem.h"
#include "vault/lease_internal.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
	const struct lease *const *x = a, *const *y = b;

	return strcmp((*x)->rec.id.s, (*y)->rec.id.s);
}

static bool same(const char *want, const char *is)
{
	return !want[0] || !strcmp(want, is);
}

static void tell(const struct lease *le, struct buf *b)
{
	char made[CLOCK_TEXT_LEN + 1], ends[CLOCK_TEXT_LEN + 1];
	const struct journal_record *r = &le->rec;

	clock_format(r->made_us, made);
	clock_format(r->expires_us, ends);
	buf_printf(b, "{\"id\":\"lease_%s\",\"provider\":\"%s\",\"path\":\"",
		   r->id.s, r->provider);
	buf_json(b, str_from(r->path));
	buf_printf(b,
		   "\",\"project\":\"%s\",\"run\":\"run_%s\","
		   "\"state\":\"%s\",\"renewable\":%s,\"on_end\":\"%s\","
		   "\"created_at\":\"%s\",\"expires_at\":\"%s\"}",
		   r->project, r->run.s, lease_state_name(le->life.state),
		   r->renewable ? "true" : "false", r->keep ? "keep" : "revoke",
		   made, ends);
}

bool leases_list(const struct leases *l, const char *provider,
		 const char *project, const char *run, const char *after,
		 size_t limit, struct buf *ret)
{
	CLEANUP_MEM const struct lease **all =
		mem_array(l->n_leases + 1, sizeof(struct lease *));
	size_t n = 0;

	LIST_FOR(at, &l->leases)
	{
		const struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (same(provider, le->rec.provider) &&
		    same(project, le->rec.project) &&
		    same(run, le->rec.run.s) && strcmp(le->rec.id.s, after) > 0)
			all[n++] = le;
	}
	qsort(all, n, sizeof(*all), by_id);
	buf_putc(ret, '[');
	for (size_t i = 0; i < n && i < limit; i++) {
		buf_puts(ret, i ? "," : "");
		tell(all[i], ret);
	}
	buf_putc(ret, ']');
	return n > limit;
}
