/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is true of several settings together, a function each, and what passes
 * the monitor; see config.h.
 */
#include "base/mem.h"
#include "config/values.h"

#include <stdio.h>
#include <string.h>

/* At the setting, when it was given in the file. */
void config_wrong(const struct config *c, struct problems *ps, const char *path,
		  const char *code, const char *hint, const char *text)
{
	const struct config_key *k = config_key_find(str_from(path));

	problem_add(ps, c->at[k - config_keys], code, hint, "%s: %s", path,
		    text);
}

static void client_limit(const struct config *c, struct problems *ps)
{
	if (c->limits.connections_per_client > c->limits.connections)
		config_wrong(c, ps, "limits.connections_per_client",
			     "out-of-range", NULL,
			     "one client may not have more than all");
}

static void tls_files(const struct config *c, struct problems *ps)
{
	if (!c->tls.cert.len != !c->tls.key.len)
		config_wrong(c, ps, c->tls.cert.len ? "tls.cert" : "tls.key",
			     "incomplete", NULL, "cert and key go together");
	if (c->tls_listen.n && !c->tls.cert.len)
		config_wrong(c, ps, "tls_listen", "incomplete", NULL,
			     "tls.cert and tls.key are needed");
	if (c->tls.client_ca.len && !c->tls.cert.len)
		config_wrong(c, ps, "tls.client_ca", "incomplete", NULL,
			     "tls.cert and tls.key are needed");
	if (c->tls.client == CONFIG_CLIENT_REQUIRED && !c->tls.client_ca.len)
		config_wrong(c, ps, "tls.client", "incomplete", NULL,
			     "tls.client_ca is needed");
}

static void each_provider(const struct config *c, struct problems *ps)
{
	const struct config_oidc *all = c->oidc.items;

	if (c->oidc.n > CONFIG_ATTACHED_MAX)
		config_wrong(c, ps, "oidc", "too-many", NULL,
			     "at most eight providers");

	for (size_t i = 0; i < c->oidc.n; i++) {
		if (!all[i].jwks_uri.len == !all[i].jwks_file.len)
			config_wrong(
				c, ps, "oidc", "missing-key", NULL,
				"jwks_uri or jwks_file is wanted, one of them");
		for (size_t k = 0; k < i; k++)
			if (str_eq(all[k].name, all[i].name) ||
			    str_eq(all[k].issuer, all[i].issuer))
				config_wrong(
					c, ps, "oidc", "twice", NULL,
					"two providers have one name, or one "
					"issuer");
	}
}

static void (*const checks[])(const struct config *, struct problems *) = {
	client_limit,         tls_files, each_provider, config_check_providers,
	config_check_helpers,
};

int config_check(const struct config *c, struct problems *ps)
{
	size_t before = ps->n;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		checks[i](c, ps);
	return ps->n > before ? -1 : 0;
}

/* --- what passes the monitor -------------------------------------------- */

static int option(struct config *c, struct str text, struct problems *ps)
{
	struct str value = text, path = str_cut(&value, '=');
	struct err e;

	if (value.p && !config_set(c, path, value, &e))
		return 0;
	problem_add(ps, (struct doc_place){0, 0}, "bad-option", NULL, "%s",
		    value.p ? e.text : "an option without a value");
	return -1;
}

static int attach(struct config *c, struct str path, struct str text,
		  struct problems *ps)
{
	struct config_pairs *to = &c->attached;
	char *copy = arena_strndup(c->arena, text.p, text.len);

	if (!to->items)
		to->items = arena_alloc(c->arena, CONFIG_ATTACHED_MAX *
							  sizeof(*to->items));
	if (!copy || !to->items || to->n == CONFIG_ATTACHED_MAX) {
		problem_add(ps, (struct doc_place){0, 0}, "too-large", NULL,
			    STR_FMT ": too much", STR_ARG(path));
		return -1;
	}
	to->items[to->n].name = value_copy(c, path);
	to->items[to->n++].value = str_n(copy, text.len);
	return 0;
}

static int decode(struct config *c, struct str rest, char name[CONFIG_TEXT_MAX],
		  struct problems *ps)
{
	struct str what, text;
	enum doc_syntax s;
	int bad = 0;

	while (rest.len) {
		if (str_frame(&rest, &what, &text)) {
			problem_add(ps, (struct doc_place){0, 0}, "malformed",
				    NULL, "a bundle that is cut");
			return -1;
		}
		if (str_is(what, "-")) {
			bad |= option(c, text, ps);
			continue;
		}
		if (str_starts(what, STR("+"))) {
			bad |= attach(c, str_from_at(what, 1), text, ps);
			continue;
		}
		s = doc_syntax_of_name(what);
		(void)snprintf(name, CONFIG_TEXT_MAX, STR_FMT, STR_ARG(what));
		bad |= config_read(c, text,
				   s == DOC_SYNTAX_UNKNOWN ? DOC_YAML : s, ps);
	}
	return bad || config_check(c, ps) ? -1 : 0;
}

int config_decode(struct str bundle, struct config **ret,
		  char ret_name[CONFIG_TEXT_MAX], struct problems *ps)
{
	struct config *c = config_new();
	char name[CONFIG_TEXT_MAX] = "";
	int bad = decode(c, bundle, name, ps);

	if (ret_name)
		memcpy(ret_name, name, sizeof(name));
	if (bad)
		config_free(c);
	else if (name[0])
		c->file = str_n(arena_strndup(c->arena, name, strlen(name)),
				strlen(name));
	if (!bad)
		*ret = c;
	return bad;
}
