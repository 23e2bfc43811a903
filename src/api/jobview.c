/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A stored job as JSON; see jobview.h. */
#include "api/jobview.h"
#include "base/clock.h"

#include <stdio.h>

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_puts(b, "\",");
}

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	clock_format(us, t);
	buf_printf(b, "\"%s\":\"%s\",", key, t);
}

static void head(const struct store_job *j, struct buf *b)
{
	buf_putc(b, '{');
	text(b, "project", j->project);
	text(b, "name", j->name);
	text(b, "description", j->description);
	buf_printf(b, "\"definition_digest\":\"sha256:" STR_FMT "\",",
		   STR_ARG(j->digest));
	text(b, "syntax", j->syntax);
	when(b, "created_at", j->created_us);
	when(b, "changed_at", j->put_us);
	text(b, "changed_by", j->put_by);
}

static bool end(struct buf *b)
{
	if (b->len && b->data[b->len - 1] == ',')
		b->len--;
	return buf_putc(b, '}');
}

bool jobview_item(const struct store_job *j, struct buf *b)
{
	head(j, b);
	return end(b);
}

bool jobview_job(const struct store_job *j, struct str hooks, struct buf *b)
{
	head(j, b);
	buf_puts(b, "\"hooks\":");
	buf_str(b, hooks);
	buf_putc(b, ',');
	buf_puts(b, "\"definition\":");
	buf_str(b, j->canonical);
	return end(b);
}

bool jobview_revision(const struct store_job *j, bool whole, struct buf *b)
{
	buf_printf(b,
		   "{\"definition_digest\":\"sha256:" STR_FMT
		   "\",\"current\":%s,",
		   STR_ARG(j->digest), j->current ? "true" : "false");
	text(b, "syntax", j->syntax);
	when(b, "created_at", j->put_us);
	text(b, "created_by", j->put_by);
	if (whole) {
		buf_puts(b, "\"definition\":");
		buf_str(b, j->canonical);
	}
	return end(b);
}

void jobview_etag(struct str digest, char out[JOB_ETAG_MAX])
{
	(void)snprintf(out, JOB_ETAG_MAX, "\"sha256:" STR_FMT "\"",
		       STR_ARG(digest));
}
