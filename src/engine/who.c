/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who is known; see who.h. */
#include "engine/who.h"
#include "base/log.h"

typedef int add_fn(struct access *a, struct str name, struct str json,
		   struct err *e);

struct loading {
	struct access *set;
	add_fn *add;
};

static int on_resource(void *ctx, const struct store_resource *x, struct err *e)
{
	struct loading *l = ctx;
	struct err why;

	(void)e;
	if (l->add(l->set, x->name, x->body, &why))
		log_error(STR_FMT " " STR_FMT ": %s", STR_ARG(x->kind),
			  STR_ARG(x->name), why.text);
	return 0;
}

int who_load(struct access *set, who_each_fn *each, void *from, struct err *e)
{
	static const struct {
		const char *kind;
		add_fn *add;
	} kinds[] = {
		{"user",  access_add_user },
		{"group", access_add_group},
		{"role",  access_add_role },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct loading l = {set, kinds[i].add};

		if (each(from, str_from(kinds[i].kind), on_resource, &l, e))
			return -1;
	}
	return 0;
}

int who_token(void *ctx, const struct store_token *t, struct err *e)
{
	const struct access_token mine = {
		.id = str_from(t->ulid.s),
		.subject = t->subject,
		.hash = t->hash,
		.most = t->role < N_ACCESS_LEVELS ? (enum access_level)t->role :
						    ACCESS_NONE,
		.projects = t->projects,
		.expires_us = t->expires_us,
		.used_us = t->used_us,
	};
	struct err why;

	(void)e;
	if (access_add_token(ctx, &mine, &why))
		log_error("token tok_%s: %s", t->ulid.s, why.text);
	return 0;
}
