/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a task that waits for people asks for; see approval.h. */
#include "job/approval.h"
#include "job/inputs.h"

static int fill_message(const struct job_plan *p, size_t i,
			const struct job_stand *stand, struct str text,
			struct arena *a, struct str *ret, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(APPROVAL_MESSAGE_MAX);
	struct inputs_scope s;
	char *kept;

	*ret = STR("");
	inputs_scope(&s, p, i, stand, a);
	if (!text.len)
		return 0;
	if (expr_fill(text, &s.c, &b, e))
		return err_wrap(e, "message");
	if (b.failed)
		return err_set(e, ERR_LIMIT, "message: more than %d bytes",
			       APPROVAL_MESSAGE_MAX);
	kept = arena_strndup(a, b.data, b.len);
	*ret = kept ? str_n(kept, b.len) : STR("");
	return kept || !b.len ? 0 : err_set(e, ERR_LIMIT, "too large");
}

int job_plan_approval(const struct job_plan *p, size_t i,
		      const struct job_stand *stand, struct arena *a,
		      struct job_approval *ret, struct err *e)
{
	const struct doc_node *n =
		doc_get(p->job->tasks[p->instances[i].task].node, "approval");
	const struct doc_node *when = doc_get(n, "when");
	int64_t count = 1;

	*ret = (struct job_approval){.wanted = true};
	ret->from = doc_get(n, "from");
	ret->show = doc_get(n, "show");
	if (doc_as_i64(doc_get(n, "count"), &count) || count < 1)
		count = 1;
	ret->count = (uint32_t)count;
	ret->submitter_may =
		str_is(job_text(doc_get(n, "not"), "submitter"), "nobody");
	ret->expires_us = job_time(doc_get(n, "expires"), 0);
	if (when && inputs_eval_if(p, i, stand, when->text, &ret->wanted, e))
		return err_wrap(e, "when");
	return fill_message(p, i, stand, job_text(doc_get(n, "message"), ""), a,
			    &ret->message, e);
}

static void hash_text(struct hash_ctx *c, struct str s)
{
	unsigned char len[8];

	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)s.len >> (8 * i));
	hash_update(c, len, sizeof(len));
	hash_update(c, s.p, s.len);
}

struct hash job_approval_digest(struct str run_id, struct str run_digest,
				struct str task, struct str message,
				const struct job_shown *shown, size_t n)
{
	struct hash_ctx *c = hash_begin();

	hash_text(c, STR("nfo-approval-v1"));
	hash_text(c, run_id);
	hash_text(c, run_digest);
	hash_text(c, task);
	hash_text(c, message);
	for (size_t i = 0; i < n; i++) {
		hash_text(c, shown[i].name);
		hash_text(c, str_from(shown[i].sha256));
	}
	return hash_end(c);
}
