/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tasks that run nothing themselves: approvals and calls of other jobs. */
#include "job/approval.h"
#include "job/check.h"
#include "job/keys.h"

#include <string.h>

/* What such a task may say; all else would be without effect. */
static bool has_effect(struct str key, bool is_call)
{
	static const char *const both[] = {"name", "description", "if", "needs",
					   "matrix"};

	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		if (str_is(key, both[i]))
			return true;
	if (!is_call)
		return str_is(key, "approval");
	return str_is(key, "job") || str_is(key, "retry") ||
	       str_is(key, "uninterruptible");
}

static void check_keys(const struct job_task *t, bool is_call,
		       struct problems *ps)
{
	/* what else could be run was told about before */
	static const char *const told[] = {"run", "argv", "approval",
					   "job", "args", "shell"};

	for (const struct doc_node *n = t->node->first; n; n = n->next) {
		bool known = has_effect(n->key, is_call);

		for (size_t i = 0; i < ARRAY_LEN(told); i++)
			known |= str_is(n->key, told[i]);
		if (!known && job_key_find("task", n->key))
			problem_at_key(ps, n, "no-effect",
				       is_call ? "put it into the job that is "
						 "called" :
						 "an approval runs nothing",
				       "%s: \"" STR_FMT "\" has no effect here",
				       is_call ? "job" : "approval",
				       STR_ARG(n->key));
	}
}

static bool from_ok(struct str s)
{
	static const char *const levels[] = {"viewer", "operator", "developer",
					     "admin"};

	if (str_starts(s, STR("user/")))
		return job_name_ok(str_from_at(s, 5));
	if (str_starts(s, STR("group/")))
		return job_name_ok(str_from_at(s, 6));
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (str_starts(s, STR("role/")) &&
		    str_is(str_from_at(s, 5), levels[i]))
			return true;
	return false;
}

static void check_from(const struct doc_node *from, struct problems *ps)
{
	if (!from || from->kind != DOC_LIST)
		return;
	if (!from->n || from->n > APPROVAL_FROM_MAX)
		problem_at(ps, from, "bad-value", "from: [group/managers]",
			   "approval.from: 1 to %d names are wanted",
			   APPROVAL_FROM_MAX);
	for (const struct doc_node *n = from->first; n; n = n->next)
		if (!from_ok(n->text))
			problem_at(ps, n, "bad-value",
				   "user/NAME, group/NAME, or role/ with "
				   "viewer, operator, developer, admin",
				   "approval.from: \"" STR_FMT
				   "\" names nobody",
				   STR_ARG(n->text));
}

static void check_approval(const struct job_task *t, const struct doc_node *n,
			   struct problems *ps)
{
	const struct doc_node *show = doc_get(n, "show");
	const struct doc_node *message = doc_get(n, "message");

	check_from(doc_get(n, "from"), ps);
	if (show && show->n > APPROVAL_SHOW_MAX)
		problem_at_key(ps, show, "too-many", NULL,
			       "approval.show: more than %d",
			       APPROVAL_SHOW_MAX);
	if (message && message->text.len > APPROVAL_MESSAGE_MAX)
		problem_at(ps, message, "too-large", NULL,
			   "approval.message: more than %d bytes",
			   APPROVAL_MESSAGE_MAX);
	if (t->is_finally)
		problem_at_key(ps, n, "bad-task",
			       "put it before the tasks that need it",
			       "approval: `finally` waits for nobody");
}

static void check_call(const struct doc_node *n, struct problems *ps)
{
	const struct doc_node *inputs = doc_get(n, "inputs");

	if (inputs && inputs->n > CHECK_LIST_MAX)
		problem_at_key(ps, inputs, "too-many", NULL,
			       "job.inputs: more than %d", CHECK_LIST_MAX);
}

void check_step(const struct job_task *t, struct problems *ps)
{
	const struct doc_node *approval = doc_get(t->node, "approval");
	const struct doc_node *call = doc_get(t->node, "job");

	if (!approval == !call)
		return;
	check_keys(t, call != NULL, ps);
	if (approval && approval->kind == DOC_MAP)
		check_approval(t, approval, ps);
	if (call)
		check_call(call, ps);
}
