/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What names what; see naming.h. */
#include "api/naming.h"
#include "api/resource.h"
#include "base/mem.h"
#include "store/jobs.h"
#include "store/resources.h"

#include <stdio.h>
#include <string.h>

enum {
	WHAT_MAX = 160
};

struct naming {
	struct str name;   /* as it is written there */
	const char *field; /* in this list */
	char found[WHAT_MAX];
};

static bool lists(const struct doc_node *list, struct str name)
{
	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (str_eq(n->text, name))
			return true;
	return false;
}

static int look_for(void *ctx, const struct store_resource *x, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct naming *n = ctx;
	struct doc *d;

	(void)e;
	if (doc_parse(x->body, DOC_JSON, &d, ps))
		return 0;
	if (lists(doc_get(d->root, n->field), n->name))
		(void)snprintf(n->found, sizeof(n->found), STR_FMT " " STR_FMT,
			       STR_ARG(x->kind), STR_ARG(x->name));
	doc_free(d);
	return 0;
}

/* 1: something does (said in *refusal), 0: nothing, -1: the store failed. */
static int named(struct store *s, const char *kind, const char *field,
		 struct str name, struct err *refusal, struct err *e)
{
	struct naming n = {.name = name, .field = field};

	if (store_resources(s, str_from(kind), look_for, &n, e))
		return -1;
	if (!n.found[0])
		return 0;
	err_set(refusal, ERR_CONFLICT, "%s names it", n.found);
	return 1;
}

static int a_job(void *ctx, const struct store_job *j, struct err *e)
{
	(void)j;
	(void)e;
	*(bool *)ctx = true;
	return 0;
}

int naming_in_use(struct store *s, const char *kind, struct str name,
		  struct err *refusal, struct err *e)
{
	char member[WHAT_MAX];
	bool has_job = false;
	int r;

	(void)snprintf(member, sizeof(member), "%s/" STR_FMT, kind,
		       STR_ARG(name));
	if (!strcmp(kind, "user")) {
		r = named(s, "group", "members", name, refusal, e);
		return r ? r :
			   named(s, "role", "members", str_from(member),
				 refusal, e);
	}
	if (!strcmp(kind, "group"))
		return named(s, "role", "members", str_from(member), refusal,
			     e);
	if (strcmp(kind, "project") != 0)
		return 0;
	if (store_jobs(s, name, 1, a_job, &has_job, e))
		return -1;
	if (has_job)
		err_set(refusal, ERR_CONFLICT, "it has jobs");
	return has_job ? 1 : named(s, "role", "projects", name, refusal, e);
}

static int is_there(void *ctx, const struct store_resource *x, struct err *e)
{
	(void)ctx;
	(void)x;
	(void)e;
	return 0;
}

int naming_members_exist(struct store *s, const char *kind,
			 const struct doc_node *root, struct err *refusal,
			 struct err *e)
{
	const struct doc_node *list = doc_get(root, "members");

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next) {
		struct str name = n->text, what = STR("user");
		struct err none;

		if (resource_is_foreign(name))
			continue;
		if (!strcmp(kind, "role"))
			what = str_cut(&name, '/');
		if (resource_is_foreign(name))
			continue;
		if (!store_resource_get(s, what, name, is_there, NULL, &none))
			continue;
		if (none.code != ERR_NOT_FOUND) {
			*e = none;
			return -1;
		}
		err_set(refusal, ERR_INVALID,
			"there is no " STR_FMT " \"" STR_FMT "\"",
			STR_ARG(what), STR_ARG(name));
		return 1;
	}
	return 0;
}
