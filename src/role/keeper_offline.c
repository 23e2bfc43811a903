/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What stands in place of src/vault/http.c in the keeper of a server without
 * providers, which so neither links libcurl nor maps its libraries.
 */
#include "vault/http.h"

#include <stdlib.h>

static int none(struct err *e)
{
	return err_set(e, ERR_INTERNAL,
		       "this keeper is the one without providers");
}

int http_begin(struct err *e)
{
	return none(e);
}

int http_new(struct loop *l, struct http **ret, struct err *e)
{
	(void)l;
	(void)ret;
	return none(e);
}

/* There is no struct http, so nobody comes here. */
struct http_exchange *http_send(struct http *h, const struct http_request *r,
				http_fn *fn, void *ctx)
{
	(void)h;
	(void)r;
	(void)fn;
	(void)ctx;
	abort();
}

void http_cancel(struct http_exchange *x)
{
	(void)x;
}

void http_free(struct http *h)
{
	(void)h;
}
