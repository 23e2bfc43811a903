/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a stranger sends to a webhook: a line with the number of a scheme, lines
 * of headers, an empty line, a body.  What is read of it stays within its
 * bounds, and inputs are JSON.
 */
#include "base/mem.h"
#include "hook/hook.h"
#include "hook/scheme.h"
#include "job/job.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char the_job_text[] =
	"{\"nfo\":1,\"name\":\"j\",\"secrets\":{\"a\":{\"store\":\"x\"}},"
	"\"inputs\":{\"s\":{},\"n\":{\"type\":\"int\",\"default\":1}},"
	"\"triggers\":{\"webhook\":[{\"name\":\"h\",\"scheme\":\"github\","
	"\"secret\":\"a\",\"match\":{\"/ref\":[\"x\",1,true],\"/a/0\":\"y\"},"
	"\"inputs\":{\"s\":\"/a/0\",\"n\":\"/n~1m/~0\"}},"
	"{\"name\":\"e\",\"scheme\":\"gitea\",\"secret\":\"a\","
	"\"match\":{\"event\":[\"push\"]},\"inputs\":{\"s\":\"event\"}}]},"
	"\"tasks\":{\"t\":{\"run\":\"true\"}}}";

/* "NAME: VALUE", the first of that name. */
static struct str header(void *ctx, const char *name)
{
	struct str rest = *(const struct str *)ctx;

	while (rest.p) {
		struct str value = str_cut(&rest, '\n');
		struct str key = str_cut(&value, ':');

		if (value.p && str_is(key, name))
			return str_trim(value);
	}
	return str_n(NULL, 0);
}

static void try_headers(enum hook_scheme s, struct str head)
{
	struct hook_call c;
	int bad = hook_call_read(s, header, &head, &c);

	if (bad && (c.n_macs || c.token.len || c.timed || c.delivery.len))
		abort();
	if (bad)
		return;
	if (c.how == VERIFY_TOKEN ? c.n_macs || !c.token.len :
				    !c.n_macs || c.token.len)
		abort();
	if (c.n_macs > VERIFY_MACS_MAX || c.prefix_len >= HOOK_PREFIX_MAX ||
	    c.delivery.len > HOOK_ID_MAX || c.event.len > HOOK_EVENT_MAX)
		abort();
	(void)hook_call_fresh(&c, 1700000000);
}

static void try_body(const struct doc_node *root, struct str event,
		     struct doc_node *body)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	const struct doc_node *list = hook_list(root);

	for (const struct doc_node *h = list->first; h; h = h->next) {
		CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);
		struct doc *d;
		struct err e;

		(void)hook_matches(h, body, event);
		ps->n = 0;
		if (hook_inputs(root, h, body, event, &b, &e))
			continue;
		if (doc_parse_max(buf_view(&b), DOC_JSON, DOC_TEXT_MAX, &d, ps))
			abort();
		if (d->root->kind != DOC_MAP)
			abort();
		doc_free(d);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct job *job;
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct str all = str_n((const char *)data, len);
	const char *gap = len ? memmem(all.p, all.len, "\n\n", 2) : NULL;
	struct str head = str_n(all.p, gap ? (size_t)(gap - all.p) : len);
	struct str body = gap ? str_from_at(all, head.len + 2) : STR("");
	struct str number = str_cut(&head, '\n');
	struct doc *d;
	uint64_t s;

	if (!job && job_parse(str_from(the_job_text), DOC_JSON, &job, ps))
		abort();
	if (!str_to_u64(number, N_HOOK_SCHEMES - 1, &s))
		try_headers((enum hook_scheme)s, head);
	if (!doc_parse(body, DOC_JSON, &d, ps)) {
		try_body(job->doc->root, STR("push"), d->root);
		doc_free(d);
	}
	mem_free(ps);
	return 0;
}
