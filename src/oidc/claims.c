/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Claims to logins; see claims.h. */
#include "oidc/claims.h"
#include "base/mem.h"

#include <string.h>

enum {
	GROUP_MAX = 255
};

struct jwt_rules claims_rules(const struct config_oidc *p)
{
	struct jwt_rules r = {.issuer = p->issuer,
			      .audiences = p->audience.items,
			      .n_audiences = p->audience.n,
			      .algs = p->algorithms.n ? 0 : JWT_ALGS_ALL,
			      .skew_s = (unsigned)(p->skew_us / 1000000)};
	enum jwt_alg a;

	for (size_t i = 0; i < p->algorithms.n; i++)
		if (!jwt_alg_parse(p->algorithms.items[i], &a))
			r.algs |= 1U << a;
	return r;
}

/* --- looking at claims -------------------------------------------------- */

static const struct doc_node *find(const struct doc_node *claims,
				   struct str name)
{
	if (!name.len)
		return NULL;
	if (name.p[0] != '/')
		return doc_get_str(claims, name);
	return doc_pointer((struct doc_node *)(uintptr_t)claims, name);
}

/* Numbers and booleans as they are written. */
static bool one_like(const struct doc_node *n, struct str pattern)
{
	return (n->kind == DOC_STRING || n->kind == DOC_BOOL ||
		n->kind == DOC_INT) &&
	       str_glob(pattern, n->text, true);
}

bool claims_like(const struct doc_node *claims, struct str claim,
		 struct str pattern)
{
	const struct doc_node *n = find(claims, claim);

	if (!n)
		return false;
	if (n->kind != DOC_LIST)
		return one_like(n, pattern);
	for (n = n->first; n; n = n->next)
		if (one_like(n, pattern))
			return true;
	return false;
}

static bool all_like(const struct doc_node *claims,
		     const struct config_pairs *want)
{
	for (size_t i = 0; i < want->n; i++)
		if (!claims_like(claims, want->items[i].name,
				 want->items[i].value))
			return false;
	return true;
}

/* A name that may be shown and stored: no control characters. */
static bool is_name(const struct doc_node *n, size_t max)
{
	if (!n || n->kind != DOC_STRING || !n->text.len || n->text.len > max)
		return false;
	for (size_t i = 0; i < n->text.len; i++)
		if ((unsigned char)n->text.p[i] < 0x20 || n->text.p[i] == 0x7f)
			return false;
	return true;
}

/* --- the login ---------------------------------------------------------- */

/* "oidc:NAME:" and what follows; "": no room. */
static struct str prefixed(struct arena *a, const char *before, struct str name,
			   struct str rest)
{
	size_t n = strlen(before);
	size_t len = n + name.len + (name.len ? 1 : 0) + rest.len;
	char *p = arena_alloc(a, len + 1);

	if (!p)
		return STR("");
	memcpy(p, before, n);
	if (name.len) {
		memcpy(p + n, name.p, name.len);
		p[n + name.len] = ':';
	}
	memcpy(p + len - rest.len, rest.p, rest.len);
	return str_n(p, len);
}

static int put_subject(const struct config_oidc *p, const struct jwt *t,
		       const struct access *set, struct arena *a,
		       struct login *ret, struct err *e)
{
	const struct doc_node *user = find(t->claims, p->user_claim);
	const struct doc_node *subject = find(t->claims, p->subject_claim);

	if (is_name(user, 63) && access_has_user(set, user->text)) {
		ret->subject = prefixed(a, "user:", STR(""), user->text);
		return 0;
	}
	if (!is_name(subject, JWT_SUBJECT_MAX))
		return err_set(e, ERR_DENIED, "has no " STR_FMT,
			       STR_ARG(p->subject_claim));
	ret->subject = prefixed(a, "oidc:", p->name, subject->text);
	return 0;
}

static void put_groups(const struct config_oidc *p, const struct jwt *t,
		       struct arena *a, struct login *ret)
{
	const struct doc_node *n = find(t->claims, p->groups_claim);
	struct str *groups = arena_alloc(a, LOGIN_GROUPS_MAX * sizeof(*groups));

	ret->groups = groups;
	if (!n || !groups)
		return;
	n = n->kind == DOC_LIST ? n->first : n;
	/* groups only give: those beyond the bound give nothing */
	for (; n && ret->n_groups < LOGIN_GROUPS_MAX; n = n->next)
		if (is_name(n, GROUP_MAX))
			groups[ret->n_groups++] =
				prefixed(a, "oidc:", p->name, n->text);
}

static void put_given(const struct config_oidc *p, const struct jwt *t,
		      struct arena *a, struct login *ret)
{
	const struct config_oidc_role *roles = p->roles.items;
	struct login_given *given =
		arena_alloc(a, LOGIN_GIVEN_MAX * sizeof(*given));

	ret->given = given;
	for (size_t i = 0; given && i < p->roles.n; i++) {
		if (ret->n_given == LOGIN_GIVEN_MAX)
			return;
		if (!roles[i].when.n || !all_like(t->claims, &roles[i].when))
			continue;
		given[ret->n_given++] = (struct login_given){
			(enum access_level)(roles[i].role + ACCESS_VIEWER),
			roles[i].projects.items, roles[i].projects.n};
	}
}

int claims_login(const struct config_oidc *p, const struct jwt *t,
		 const struct access *set, struct arena *a, struct login *ret,
		 struct err *e)
{
	struct login x = {.provider = p->name};

	if (!all_like(t->claims, &p->require))
		return err_set(e, ERR_DENIED,
			       "has not what is required of those of " STR_FMT,
			       STR_ARG(p->name));
	if (put_subject(p, t, set, a, &x, e))
		return -1;
	if (!x.subject.len)
		return err_set(e, ERR_LIMIT, "says too much");
	put_groups(p, t, a, &x);
	put_given(p, t, a, &x);
	x.expires_us = t->expires_s * 1000000 + p->skew_us;
	*ret = x;
	return 0;
}
