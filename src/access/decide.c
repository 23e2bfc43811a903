/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The one function that decides, and what it is made of; see access.h. */
#include "access/internal.h"
#include "base/map.h"

#include <stdio.h>
#include <string.h>

/* --- deciding ----------------------------------------------------------- */

/* Who is asked about: u NULL: no user of ours; login NULL: came without. */
struct asked {
	struct str subject;
	const struct user *u;
	const struct login *login;
};

static bool in_group(const struct access *a, const struct asked *q,
		     struct str name)
{
	for (size_t i = 0; q->login && i < q->login->n_groups; i++)
		if (str_eq(str_from_at(name, 6), q->login->groups[i]))
			return true;
	for (size_t i = 0; i < a->n_groups; i++)
		if (str_eq(name, a->groups[i].name) &&
		    access_names_has(&a->groups[i].members,
				     q->u ? q->u->name : q->subject))
			return true;
	return false;
}

/* Is that what a list of members calls it? */
static bool is_one(const struct access *a, struct str member,
		   const struct asked *q)
{
	if (str_starts(member, STR("group/")))
		return in_group(a, q, member);
	if (str_starts(member, STR("user/")))
		return q->u && str_eq(str_from_at(member, 5), q->u->name);
	return str_eq(member, q->subject);
}

static bool is_member(const struct access *a, const struct grant *g,
		      const struct asked *q)
{
	for (size_t i = 0; i < g->members.n; i++)
		if (is_one(a, g->members.items[i], q))
			return true;
	return false;
}

/* The user that a subject is, also of one who is known by uid; NULL. */
static const struct user *user_of(const struct access *a, struct str subject)
{
	struct str rest = subject;
	uint64_t uid;

	if (!str_starts(subject, STR("uid:")))
		return map_get(a->users, subject);
	rest = str_from_at(subject, 4);
	if (str_to_u64(rest, UINT32_MAX, &uid))
		return NULL;
	return map_get(a->users, access_user_of_uid(a, (uint32_t)uid));
}

bool access_named(const struct access *a, struct str subject, struct str token,
		  struct str project, struct str name)
{
	const struct asked q = {subject, user_of(a, subject),
				access_login_of(a, subject, token)};
	enum access_level least;

	if (str_starts(name, STR("role/")))
		return !access_role_parse(str_from_at(name, 5), &least) &&
		       access_role(a, subject, token, project) >= least;
	return (q.u ? !q.u->disabled : q.login != NULL) && is_one(a, name, &q);
}

struct str access_person(const struct access *a, struct str subject)
{
	const struct user *u = user_of(a, subject);
	char uid[32];

	if (map_get(a->admins, subject))
		return STR("owner");
	if (!u)
		return subject;
	(void)snprintf(uid, sizeof(uid), "uid:%lld", (long long)u->uid);
	return map_get(a->admins, str_from(uid)) ? STR("owner") : u->subject;
}

/* What the login itself gives. */
static enum access_level brought(const struct login *l,
				 const struct str *project)
{
	enum access_level most = ACCESS_NONE;

	for (size_t i = 0; l && i < l->n_given; i++) {
		const struct login_given *g = &l->given[i];

		for (size_t k = 0; g->role > most && k < g->n_projects; k++)
			if (!project || str_is(g->projects[k], "*") ||
			    (project->len && str_eq(g->projects[k], *project)))
				most = g->role;
	}
	return most;
}

/* Of a subject, whatever token is shown; project NULL: anywhere. */
static enum access_level granted(const struct access *a, struct str subject,
				 const struct login *login,
				 const struct str *project)
{
	const struct asked q = {subject, map_get(a->users, subject), login};
	enum access_level most;

	if (map_get(a->admins, subject))
		return ACCESS_ADMIN;
	/* who is known by a login only, and came with it before (a run that
	 * calls a job): what roles give by name */
	if (!str_starts(subject, STR("oidc:")) &&
	    !access_is_known(a, subject, STR("")))
		return ACCESS_NONE;
	most = brought(login, project);
	for (size_t i = 0; i < a->n_grants; i++) {
		const struct grant *g = &a->grants[i];

		if (g->role <= most)
			continue;
		if (project && !g->projects.all &&
		    (!project->len ||
		     !access_names_has(&g->projects, *project)))
			continue;
		if (is_member(a, g, &q))
			most = g->role;
	}
	return most;
}

static enum access_level narrowed(const struct access *a, struct str subject,
				  struct str id, const struct str *project)
{
	const struct login *login = access_login_of(a, subject, id);
	const struct token *t = id.len && !login ? map_get(a->by_id, id) : NULL;
	enum access_level role;

	if (id.len && !t && !login)
		return ACCESS_NONE; /* revoked meanwhile */
	if (t &&
	    (!str_eq(t->t.subject, subject) ||
	     (project && !t->projects.all &&
	      (!project->len || !access_names_has(&t->projects, *project)))))
		return ACCESS_NONE;
	role = granted(a, subject, login, project);
	return t && t->t.most < role ? t->t.most : role;
}

enum access_level access_role(const struct access *a, struct str subject,
			      struct str token, struct str project)
{
	return narrowed(a, subject, token, &project);
}

enum access_level access_best(const struct access *a, struct str subject,
			      struct str token)
{
	return narrowed(a, subject, token, NULL);
}

/* Each project that a list names and where the subject is enough, once. */
static void offer(const struct access *a, struct str subject, struct str token,
		  enum access_level least, const struct str *names, size_t n,
		  struct map *seen, struct buf *b)
{
	for (size_t i = 0; i < n; i++) {
		struct str p = names[i];

		if (map_get(seen, p) ||
		    access_role(a, subject, token, p) < least)
			continue;
		(void)map_put(seen, p, seen);
		buf_puts(b, map_len(seen) > 1 ? ",\"" : "\"");
		buf_json(b, p);
		buf_putc(b, '"');
	}
}

bool access_projects(const struct access *a, struct str subject,
		     struct str token, enum access_level least, struct buf *b)
{
	const struct token *t = token.len ? map_get(a->by_id, token) : NULL;
	const struct login *login = access_login_of(a, subject, token);
	struct map *seen;

	if (access_role(a, subject, token, STR("")) >= least)
		return true;
	seen = map_new();
	buf_putc(b, '[');
	if (t)
		offer(a, subject, token, least, t->projects.items,
		      t->projects.n, seen, b);
	for (size_t i = 0; login && i < login->n_given; i++)
		offer(a, subject, token, least, login->given[i].projects,
		      login->given[i].n_projects, seen, b);
	for (size_t i = 0; i < a->n_grants; i++)
		offer(a, subject, token, least, a->grants[i].projects.items,
		      a->grants[i].projects.n, seen, b);
	map_free(seen, NULL);
	return buf_putc(b, ']');
}
