/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * May a run call a job of another project?  Who asked for it was an operator
 * there when it was asked for (src/api); here it is decided again, from what
 * is stored now, with the token that was shown.
 */
#include "engine/internal.h"
#include "engine/who.h"
#include "job/call.h"

static int each(void *from, struct str kind, store_resource_fn *fn, void *ctx,
		struct err *e)
{
	return store_resources(from, kind, fn, ctx, e);
}

static int load(struct engine *g, struct access *set, struct str token,
		struct err *e)
{
	access_add_owners(set, g->o.owner_uid);
	if (who_load(set, each, g->store, e))
		return -1;
	/* without it: revoked meanwhile, and it is nobody's any more */
	return !token.len ||
			       !store_token_get(g->store, token, who_token, set,
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
