/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes into the tar reader, in two pieces; what it lets through is clean. */
#include "base/tar.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int on_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	(void)ctx;
	(void)e;
	if (!t->path.len || t->path.p[0] == '/' || t->path.len > TAR_PATH_MAX ||
	    str_starts(t->path, STR("../")) || str_is(t->path, ".."))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct tar_limits limits = {1000, 1 << 20};
	static const struct tar_ops ops = {.entry = on_entry};
	struct tar_reader *r = tar_reader_new(&limits, &ops, NULL);
	size_t half = len ? data[0] * len / 256 : 0;
	struct err e;

	if (!tar_feed(r, data, half, &e) &&
	    !tar_feed(r, data + half, len - half, &e) && !tar_finish(r, &e))
		(void)tar_n_entries(r);
	tar_reader_free(r);
	return 0;
}
