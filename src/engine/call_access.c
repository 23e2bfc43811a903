/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * May a run call a job of another project?  Who asked for it was an operator
 * there when it was asked for (src/api); here it is decided again, from what
 * is stored now, with the token that was shown.
 */
#include "access/access.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "job/call.h"
#include "store/resources.h"

typedef int add_fn(struct access *a, struct str name, struct str json,
		   struct err *e);

struct loading {
	struct access *set;
	add_fn *add;
};

/* What cannot be read gives nobody anything. */
static int see(void *ctx, const struct store_resource *x, struct err *e)
{
	struct loading *l = ctx;
	struct err none;

	(void)e;
	(void)!l->add(l->set, x->name, x->body, &none);
	return 0;
}

static int see_token(void *ctx, const struct store_token *t, struct err *e)
{
	const struct access_token mine = {
		.id = str_from(t->ulid.s),
		.subject = t->subject,
		.hash = t->hash,
		.most = t->role < N_ACCESS_LEVELS ? (enum access_level)t->role :
						    ACCESS_NONE,
		.projects = t->projects,
	};

	return access_add_token(ctx, &mine, e);
}

static int load(struct engine *g, struct access *set, struct str token,
		struct err *e)
{
	static const struct {
		const char *kind;
		add_fn *add;
	} kinds[] = {
		{"user",  access_add_user },
		{"group", access_add_group},
		{"role",  access_add_role },
	};

	access_add_owners(set, g->o.owner_uid);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct loading l = {set, kinds[i].add};

		if (store_resources(g->store, str_from(kinds[i].kind), see, &l,
				    e))
			return -1;
	}
	/* without it: revoked meanwhile, and it is nobody's any more */
	return !token.len ||
			       !store_token_get(g->store, token, see_token, set,
						e) ||
			       e->code == ERR_NOT_FOUND ?
		       0 :
		       -1;
}

int call_allowed(struct run *r, struct str project, struct err *e)
{
	struct access *set;
	enum access_level have;

	if (str_eq(project, r->row.project))
		return 0;
	set = access_new();
	if (load(r->g, set, r->row.token, e)) {
		access_free(set);
		return -1;
	}
	have = access_role(set, r->row.submitter, r->row.token, project);
	access_free(set);
	if (have >= ACCESS_OPERATOR)
		return 0;
	return err_set(e, ERR_DENIED,
		       STR_FMT " may not run jobs of project " STR_FMT,
		       STR_ARG(r->row.submitter), STR_ARG(project));
}
