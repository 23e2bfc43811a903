/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Artifacts: found by run and name, never by hash. */
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/hex.h"
#include "engine/blob.h"
#include "engine/view.h"

#include <stdio.h>
#include <string.h>

int h_artifacts(struct request *r)
{
	struct buf b = BUF_INIT(8 << 20);
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	if (view_artifacts(r->api->reader, &run, &b, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	return reply_json(r, 200, &b);
}

struct find {
	struct str name;
	bool found, expired, is_private;
	char sha256[HASH_HEX_LEN + 1];
	char file[256];
};

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	*(int64_t *)ctx = run->id;
	return 0;
}

/* The last attempt's wins: rows come in the order of attempts. */
static int see_artifact(void *ctx, const struct store_artifact *a,
			struct err *e)
{
	struct find *f = ctx;

	(void)e;
	if (!str_eq(a->name, f->name))
		return 0;
	f->found = true;
	f->is_private = a->is_private;
	f->expired = a->expires_us && a->expires_us <= clock_real_us();
	memcpy(f->sha256, a->sha256, sizeof(f->sha256));
	(void)snprintf(f->file, sizeof(f->file), STR_FMT, STR_ARG(a->file));
	return 0;
}

/* attachment; filename="..." with what is not plain as '_'. */
static void disposition(const char *file, char *out, size_t len)
{
	int n = snprintf(out, len, "attachment; filename=\"%s\"", file);

	for (int i = 22; i < n - 1 && (size_t)i < len - 1; i++)
		if (out[i] == '"' || out[i] == '\\' || out[i] < 0x20 ||
		    out[i] > 0x7e)
			out[i] = '_';
}

int h_artifact(struct request *r)
{
	struct find f = {.name = r->params[1]};
	CLEANUP_BUF struct buf digest = BUF_INIT(128);
	char etag[HASH_HEX_LEN + 16], save[320];
	struct hash h;
	struct ulid run;
	int64_t id = 0;
	struct err e;
	int fd;

	if (param_run(r, 0, &run))
		return 0;
	if (store_read_run(r->api->reader, &run, see_run, &id, &e) ||
	    store_read_artifacts(r->api->reader, id, see_artifact, &f, &e))
		return reply_err(r, &e);
	if (!f.found)
		return reply_problem(r, 404, "not-found",
				     "no such artifact in this run");
	if (f.is_private)
		return reply_problem(r, 403, "private",
				     "only later tasks of the run may read "
				     "this artifact");
	if (f.expired || hex_decode(str_from(f.sha256), h.b, HASH_LEN) ||
	    blob_open(r->api->state_fd, &h, &fd, &e))
		return reply_problem(r, 410, "gone",
				     "the artifact is no longer kept");
	(void)snprintf(etag, sizeof(etag), "\"sha256-%s\"", f.sha256);
	disposition(f.file, save, sizeof(save));
	reply_file(r, fd, "application/octet-stream", etag, save);
	buf_puts(&digest, "sha-256=:");
	b64_encode(&digest, h.b, HASH_LEN);
	buf_putc(&digest, ':');
	reply_header(r, "Repr-Digest", buf_cstr(&digest));
	return 0;
}
