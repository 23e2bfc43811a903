/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as what a proxy sends, a header a line: what is believed is an
 * address, a name and a path that can be put into an answer; and a peer that is
 * not trusted is always itself.
 */
#include "api/forwarded.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct str line(struct str *rest)
{
	return rest->p ? str_cut(rest, '\n') : str_n(NULL, 0);
}

static void only(const char *s, const char *more)
{
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		      (*s >= '0' && *s <= '9') || strchr(more, *s)))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str nets[] = {STR("127.0.0.0/8"), STR("fd00::/9"), STR("unix")};
	struct str rest = str_n((const char *)data, len);
	struct config_texts trusted = {nets, 3}, nobody = {NULL, 0};
	struct forwarded_headers h = {.forwarded = line(&rest),
				      .x_for = line(&rest),
				      .x_proto = line(&rest),
				      .x_host = line(&rest),
				      .x_prefix = line(&rest)};
	struct forwarded f;
	const char *header = NULL;

	if (!h.forwarded.len)
		h.forwarded.p = NULL;
	if (forwarded_read(&trusted, STR("127.0.0.1"), &h, &f, &header)) {
		if (!header)
			abort();
	} else {
		only(f.client, ":.");
		only(f.host, "-._:[]");
		only(f.prefix, "-._~/");
		if (!f.client[0] || (f.prefix[0] && f.prefix[0] != '/') ||
		    strstr(f.prefix, "//"))
			abort();
	}
	if (forwarded_read(&nobody, STR("127.0.0.1"), &h, &f, &header) ||
	    strcmp(f.client, "127.0.0.1") || f.by_proxy || f.host[0])
		abort();
	return 0;
}
