/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who may do what; see access.h. */
#include "access/internal.h"
#include "base/map.h"
#include "base/mem.h"
#include "doc/doc.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 1 << 20
};

static const char *const role_names[] = {
	[ACCESS_NONE] = "none",         [ACCESS_VIEWER] = "viewer",
	[ACCESS_OPERATOR] = "operator", [ACCESS_DEVELOPER] = "developer",
	[ACCESS_ADMIN] = "admin",
};

const char *access_role_name(enum access_level r)
{
	return role_names[r];
}

int access_role_parse(struct str s, enum access_level *ret)
{
	for (int i = ACCESS_VIEWER; i < N_ACCESS_LEVELS; i++) {
		if (!str_is(s, role_names[i]))
			continue;
		*ret = (enum access_level)i;
		return 0;
	}
	return -1;
}

/* --- building ----------------------------------------------------------- */

struct access *access_new(void)
{
	struct access *a = mem_alloc(sizeof(*a));

	a->arena = arena_new((size_t)1 << 30);
	a->users = map_new();
	a->admins = map_new();
	a->by_hash = map_new();
	a->by_id = map_new();
	a->by_cert = map_new();
	return a;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	map_free(a->users, NULL);
	map_free(a->admins, NULL);
	map_free(a->by_hash, NULL);
	map_free(a->by_id, NULL);
	map_free(a->by_cert, NULL);
	mem_free(a->list);
	mem_free(a->groups);
	mem_free(a->grants);
	mem_free(a->tokens);
	arena_free(a->arena);
	mem_free(a);
}

static struct str keep2(struct access *a, const char *before, struct str s)
{
	size_t n = strlen(before);
	char *p = arena_alloc(a->arena, n + s.len + 1);

	if (!p)
		return STR("");
	memcpy(p, before, n);
	if (s.len)
		memcpy(p + n, s.p, s.len);
	return str_n(p, n + s.len);
}

static struct str keep(struct access *a, struct str s)
{
	return keep2(a, "", s);
}

void access_use(struct access *a, const struct logins *l)
{
	a->logins = l;
}

void access_add_admin(struct access *a, struct str subject)
{
	(void)map_put(a->admins, subject, a);
}

void access_add_owners(struct access *a, uint32_t owner_uid)
{
	char owner[32];

	(void)snprintf(owner, sizeof(owner), "uid:%u", owner_uid);
	access_add_admin(a, STR("uid:0"));
	access_add_admin(a, str_from(owner));
	access_add_admin(a, STR("token:local"));
}

static int parse(struct str json, struct doc **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	if (!doc_parse_max(json, DOC_JSON, BODY_MAX, ret, ps))
		return 0;
	return err_set(e, ERR_INVALID, "%s", ps->items[0].message);
}

static int get_names(struct access *a, const struct doc_node *list,
		     struct names *ret, struct err *e)
{
	*ret = (struct names){0};
	if (!list)
		return 0;
	if (list->kind != DOC_LIST)
		return err_set(e, ERR_INVALID, "a list is wanted");
	ret->items = arena_alloc(a->arena, (list->n + 1) * sizeof(struct str));
	if (!ret->items)
		return err_set(e, ERR_LIMIT, "too many names");
	for (const struct doc_node *n = list->first; n; n = n->next) {
		struct str s;

		if (doc_as_string(n, &s))
			return err_set(e, ERR_INVALID, "a name is wanted");
		ret->all |= str_is(s, "*");
		ret->items[ret->n++] = keep(a, s);
	}
	return 0;
}

bool access_names_has(const struct names *names, struct str s)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->items[i], s))
			return true;
	return false;
}

/* Two users with one certificate are nobody. */
static void add_certificates(struct access *a, struct user *u,
			     const struct names *certs)
{
	static struct user nobody = {.disabled = true};

	for (size_t i = 0; i < certs->n; i++) {
		struct user *other = map_put(a->by_cert, certs->items[i], u);

		if (other && other != u)
			(void)map_put(a->by_cert, certs->items[i], &nobody);
	}
}

int access_add_user(struct access *a, struct str name, struct str json,
		    struct err *e)
{
	struct names certs;
	struct user *u;
	struct doc *d;
	int bad;

	if (parse(json, &d, e))
		return -1;
	bad = get_names(a, doc_get(d->root, "certificates"), &certs, e);
	if (bad) {
		doc_free(d);
		return -1;
	}
	u = arena_alloc(a->arena, sizeof(*u));
	*u = (struct user){.uid = -1};
	u->subject = keep2(a, "user:", name);
	u->name = str_from_at(u->subject, 5);
	if (doc_as_bool(doc_get(d->root, "disabled"), &u->disabled))
		u->disabled = doc_get(d->root, "disabled") != NULL;
	if (doc_as_i64(doc_get(d->root, "uid"), &u->uid))
		u->uid = -1;
	doc_free(d);
	a->list = mem_resize(a->list, a->n_users + 1, sizeof(*a->list));
	a->list[a->n_users++] = u;
	(void)map_put(a->users, u->subject, u);
	add_certificates(a, u, &certs);
	return 0;
}

int access_add_group(struct access *a, struct str name, struct str json,
		     struct err *e)
{
	struct group g = {.name = keep2(a, "group/", name)};
	struct doc *d;
	int bad;

	if (parse(json, &d, e))
		return -1;
	bad = get_names(a, doc_get(d->root, "members"), &g.members, e);
	doc_free(d);
	if (bad)
		return -1;
	a->groups = mem_resize(a->groups, a->n_groups + 1, sizeof(g));
	a->groups[a->n_groups++] = g;
	return 0;
}

int access_add_role(struct access *a, struct str name, struct str json,
		    struct err *e)
{
	struct grant g = {.role = ACCESS_NONE};
	struct str role;
	struct doc *d;
	int bad;

	if (parse(json, &d, e))
		return -1;
	bad = get_names(a, doc_get(d->root, "members"), &g.members, e) ||
	      get_names(a, doc_get(d->root, "projects"), &g.projects, e);
	if (!bad && (doc_as_string(doc_get(d->root, "role"), &role) ||
		     access_role_parse(role, &g.role)))
		bad = err_set(e, ERR_INVALID, "role " STR_FMT ": no such role",
			      STR_ARG(name));
	doc_free(d);
	if (bad)
		return -1;
	a->grants = mem_resize(a->grants, a->n_grants + 1, sizeof(g));
	a->grants[a->n_grants++] = g;
	return 0;
}

int access_add_token(struct access *a, const struct access_token *t,
		     struct err *e)
{
	struct token *mine = arena_alloc(a->arena, sizeof(*mine));
	struct doc *d;
	int bad;

	*mine = (struct token){.t = *t};
	mine->t.id = keep(a, t->id);
	mine->t.subject = keep(a, t->subject);
	mine->t.projects = keep(a, t->projects);
	if (parse(t->projects, &d, e))
		return -1;
	bad = get_names(a, d->root, &mine->projects, e);
	doc_free(d);
	if (bad)
		return -1;
	if (!mine->projects.n)
		mine->projects.all = true;
	a->tokens = mem_resize(a->tokens, a->n_tokens + 1, sizeof(mine));
	a->tokens[a->n_tokens++] = mine;
	(void)map_put(a->by_id, mine->t.id, mine);
	(void)map_put(a->by_hash, str_n((const char *)t->hash.b, HASH_LEN),
		      mine);
	return 0;
}

/* --- looking up --------------------------------------------------------- */

struct access_token *access_token_find(const struct access *a,
				       const struct hash *h)
{
	struct token *t =
		map_get(a->by_hash, str_n((const char *)h->b, HASH_LEN));

	return t && hash_eq(&t->t.hash, h) ? &t->t : NULL;
}

struct access_token *access_token_id(const struct access *a, struct str id)
{
	struct token *t = map_get(a->by_id, id);

	return t ? &t->t : NULL;
}

struct access_token *access_token_at(const struct access *a, size_t i)
{
	return i < a->n_tokens ? &a->tokens[i]->t : NULL;
}

struct str access_user_of_uid(const struct access *a, uint32_t uid)
{
	for (size_t i = 0; i < a->n_users; i++)
		if (a->list[i]->uid == (int64_t)uid && !a->list[i]->disabled)
			return a->list[i]->subject;
	return STR("");
}

struct str access_user_of_certificate(const struct access *a, struct str id)
{
	const struct user *u = map_get(a->by_cert, id);

	return u && !u->disabled ? u->subject : STR("");
}

const struct login *access_login_of(const struct access *a, struct str subject,
				    struct str id)
{
	const struct login *l =
		a->logins && id.len ? logins_id(a->logins, id) : NULL;

	return l && str_eq(l->subject, subject) ? l : NULL;
}

bool access_is_known(const struct access *a, struct str subject,
		     struct str token)
{
	const struct user *u = map_get(a->users, subject);

	if (map_get(a->admins, subject))
		return true;
	return u ? !u->disabled :
		   str_starts(subject, STR("oidc:")) &&
			       access_login_of(a, subject, token);
}

bool access_has_user(const struct access *a, struct str name)
{
	for (size_t i = 0; i < a->n_users; i++)
		if (str_eq(a->list[i]->name, name))
			return true;
	return false;
}
