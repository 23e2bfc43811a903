/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Jobs that are only looked at: validate, convert. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/hash.h"
#include "base/mem.h"
#include "job/import.h"
#include "job/job.h"
#include "sched/trigger.h"

#include <string.h>

static int unsupported(struct request *r)
{
	return reply_problem(r, 415, "unsupported-type",
			     "a job is application/yaml, application/json or "
			     "application/toml");
}

int h_validate(struct request *r)
{
	enum doc_syntax syntax =
		doc_syntax_of_type(request_header(r, "Content-Type"));
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(4 * DOC_TEXT_MAX);
	struct buf b = BUF_INIT(65536);
	char hex[HASH_HEX_LEN + 1];
	struct hash h;
	struct job *j;
	struct err e;
	int bad;

	if (syntax == DOC_SYNTAX_UNKNOWN)
		return unsupported(r);
	if (job_parse(buf_view(&r->body), syntax, &j, ps))
		return reply_problems(r, 422, "invalid-job", ps);
	trigger_check(j, ps);
	if (ps->n) { /* what a put would say of it on this machine */
		job_free(j);
		return reply_problems(r, 422, "invalid-job", ps);
	}
	bad = job_canonical(j, &canonical, &e);
	(void)job_not_supported(j, ps);
	job_free(j);
	if (bad)
		return reply_err(r, &e);
	h = hash_sha256(canonical.data, canonical.len);
	hash_hex(&h, hex);
	buf_printf(&b,
		   "{\"valid\":true,\"definition_digest\":\"sha256:%s\","
		   "\"warnings\":",
		   hex);
	problems_json(ps, &b);
	buf_puts(&b, "}\n");
	return reply_json(r, 200, &b);
}

static enum doc_syntax wanted(struct request *r)
{
	struct str to, accept = request_header(r, "Accept");
	enum doc_syntax syntax;

	if (request_query(r, "to", 0, &to))
		return doc_syntax_of_type(to);
	syntax = doc_syntax_of_type(accept);
	return syntax == DOC_SYNTAX_UNKNOWN ? DOC_YAML : syntax;
}

static int convert_script(struct request *r)
{
	struct str name = STR("script");
	struct buf b = BUF_INIT(4 * DOC_TEXT_MAX);
	bool base64;
	struct err e;

	(void)request_query(r, "name", 0, &name);
	if (job_import(name, buf_view(&r->body), &b, &base64, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	return reply_text(r, 200, "application/yaml", &b);
}

int h_convert(struct request *r)
{
	static const char *const types[] = {[DOC_YAML] = "application/yaml",
					    [DOC_JSON] = "application/json",
					    [DOC_TOML] = "application/toml"};
	struct str type = request_header(r, "Content-Type");
	enum doc_syntax from = doc_syntax_of_type(type), to = wanted(r);
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct buf b = BUF_INIT(4 * DOC_TEXT_MAX);
	struct job *j;
	struct err e;
	int bad;

	if (str_starts(type, STR("text/x-shellscript")))
		return convert_script(r);
	if (from == DOC_SYNTAX_UNKNOWN || to == DOC_SYNTAX_UNKNOWN)
		return unsupported(r);
	if (job_parse(buf_view(&r->body), from, &j, ps))
		return reply_problems(r, 422, "invalid-job", ps);
	bad = doc_write(j->doc->root, to, &b, &e);
	job_free(j);
	if (bad) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	return reply_text(r, 200, types[to], &b);
}
