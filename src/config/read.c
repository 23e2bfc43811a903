/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The file against the table; see config.h. */
#include "base/mem.h"
#include "config/values.h"

#include <stdio.h>
#include <string.h>

static const struct config_key *key_at(const char *where, struct str name)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (!strcmp(config_keys[i].where, where) &&
		    str_is(name, config_keys[i].name))
			return &config_keys[i];
	return NULL;
}

/* --- keys that are none ------------------------------------------------- */

/* The nearest name there; NULL. */
static const char *like(const char *where, struct str name)
{
	unsigned best = name.len > 4 ? 2 : 1;
	const char *found = NULL;

	for (size_t i = 0; i < config_n_keys; i++) {
		unsigned d;

		if (strcmp(config_keys[i].where, where) != 0)
			continue;
		d = str_distance(name, str_from(config_keys[i].name), best);
		if (d <= best && (!found || d < best)) {
			found = config_keys[i].name;
			best = d;
		}
	}
	return found;
}

static void unknown(const struct doc_node *n, const char *where,
		    struct problems *ps)
{
	const char *near = ps->n < PROBLEMS_MAX ? like(where, n->key) : NULL;
	char hint[120] = "";

	if (near)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?",
			       near);
	for (size_t i = 0; !near && i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];

		if (!str_is(n->key, k->name))
			continue;
		(void)snprintf(hint, sizeof(hint), "it belongs %s%s%s",
			       *k->where ? "into `" : "to the top", k->where,
			       *k->where ? "`" : "");
		break;
	}
	problem_at_key(ps, n, "unknown-key", hint,
		       "unknown key \"" STR_FMT "\"%s%s%s", STR_ARG(n->key),
		       *where ? " in \"" : " in the configuration", where,
		       *where ? "\"" : "");
}

/* --- values ------------------------------------------------------------- */

static void wrong_type(const struct doc_node *n, const struct config_key *k,
		       struct problems *ps)
{
	static const char *const want[] = {
		[CONFIG_TEXT] = "a text",
		[CONFIG_TEXTS] = "a list of texts",
		[CONFIG_INT] = "a whole number",
		[CONFIG_BOOL] = "true or false",
		[CONFIG_DURATION] = "a time such as 10s",
		[CONFIG_SIZE] = "a size such as 64K",
		[CONFIG_CHOICE] = "a text",
		[CONFIG_PAIRS] = "a map of texts",
		[CONFIG_MAP] = "a map",
		[CONFIG_MAPS] = "a list of maps",
	};

	problem_at(ps, n, "wrong-type", NULL, "%s: %s is wanted, not %s",
		   k->name, want[k->form], doc_kind_name(n->kind));
}

/* A plain scalar of YAML is what its row says; JSON and TOML say it. */
static bool scalar(const struct doc_node *n, const struct config_key *k)
{
	int64_t i;
	bool b;

	switch (k->form) {
	case CONFIG_INT:
		return !doc_as_i64(n, &i);
	case CONFIG_BOOL:
		return !doc_as_bool(n, &b);
	case CONFIG_SIZE:
		return n->kind == DOC_INT || n->kind == DOC_STRING ||
		       n->kind == DOC_PLAIN;
	case CONFIG_TEXT:
	case CONFIG_TEXTS:
	case CONFIG_DURATION:
	case CONFIG_CHOICE:
	case CONFIG_PAIRS:
		return n->kind == DOC_STRING || n->kind == DOC_PLAIN;
	case CONFIG_MAP:
	case CONFIG_MAPS:
		break;
	}
	return false;
}

static void take(struct config *c, void *base, const struct doc_node *n,
		 const struct config_key *k, struct problems *ps)
{
	struct value_why why;

	if (!scalar(n, k))
		wrong_type(n, k, ps);
	else if (!value_store(c, base, k, n->text, &why))
		problem_at(ps, n, why.code, why.hint, "%s", why.text);
}

static void take_pairs(struct config *c, void *base, const struct doc_node *n,
		       const struct config_key *k, struct problems *ps)
{
	struct config_pairs *to = (void *)((char *)base + k->at);
	const char *want;

	if (n->n > CONFIG_LIST_MAX) {
		problem_at(ps, n, "too-many", NULL, "%s: at most %d", k->name,
			   CONFIG_LIST_MAX);
		return;
	}
	to->n = 0;
	to->items = arena_alloc(c->arena, n->n * sizeof(*to->items) + 1);
	for (const struct doc_node *i = n->first; to->items && i; i = i->next) {
		want = k->wrong ? k->wrong(i->text) : NULL;
		if (!scalar(i, k) || i->text.len > CONFIG_TEXT_MAX) {
			problem_at(ps, i, "wrong-type", NULL,
				   "%s: a text is wanted, not %s", k->name,
				   doc_kind_name(i->kind));
		} else if (want) {
			problem_at(ps, i, "bad-value", want,
				   "%s: \"" STR_FMT "\" does not fit", k->name,
				   STR_ARG(i->text));
		} else {
			to->items[to->n].name = value_copy(c, i->key);
			to->items[to->n++].value = value_copy(c, i->text);
		}
	}
}

static void take_map(struct config *c, void *base, const struct doc_node *map,
		     const char *where, struct problems *ps);

static void take_maps(struct config *c, void *base, const struct doc_node *n,
		      const struct config_key *k, struct problems *ps)
{
	struct config_list *to = (void *)((char *)base + k->at);
	char path[80];

	config_key_path(k, path);
	if (n->n > CONFIG_LIST_MAX) {
		problem_at(ps, n, "too-many", NULL, "%s: at most %d", k->name,
			   CONFIG_LIST_MAX);
		return;
	}
	to->items = arena_alloc(c->arena, n->n * k->size + 1);
	for (const struct doc_node *i = n->first; to->items && i; i = i->next) {
		void *entry = (char *)to->items + to->n * k->size;

		if (i->kind != DOC_MAP) {
			wrong_type(i, k, ps);
			continue;
		}
		to->n++;
		config_defaults(c, entry, path);
		take_map(c, entry, i, path, ps);
	}
}

static void take_value(struct config *c, void *base, const struct doc_node *n,
		       const struct config_key *k, struct problems *ps)
{
	char path[80];

	config_key_path(k, path);
	if (doc_is_null(n) && n->kind != DOC_STRING) {
		problem_at_key(ps, n, "no-value", "leave the key out",
			       "%s: has no value", k->name);
	} else if (k->form == CONFIG_MAP && n->kind == DOC_MAP) {
		take_map(c, base, n, path, ps);
	} else if (k->form == CONFIG_MAPS && n->kind == DOC_LIST) {
		take_maps(c, base, n, k, ps);
	} else if (k->form == CONFIG_PAIRS && n->kind == DOC_MAP) {
		take_pairs(c, base, n, k, ps);
	} else if (k->form == CONFIG_TEXTS && n->kind == DOC_LIST) {
		value_clear(base, k);
		for (const struct doc_node *i = n->first; i; i = i->next)
			take(c, base, i, k, ps);
	} else if (k->form == CONFIG_PAIRS) {
		wrong_type(n, k, ps);
	} else {
		value_clear(base, k);
		take(c, base, n, k, ps);
	}
}

static void take_map(struct config *c, void *base, const struct doc_node *map,
		     const char *where, struct problems *ps)
{
	for (const struct doc_node *n = map->first; n; n = n->next) {
		const struct config_key *k = key_at(where, n->key);

		if (!k) {
			unknown(n, where, ps);
			continue;
		}
		take_value(c, base, n, k, ps);
		c->source[k - config_keys] = CONFIG_FILE;
		c->at[k - config_keys] = n->at;
	}
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];

		if (k->required && !strcmp(k->where, where) &&
		    !doc_get(map, k->name))
			problem_at(ps, map, "missing-key", k->help,
				   "\"%s\" is missing in %s", k->name, where);
	}
}

/* --- all of it ---------------------------------------------------------- */

void config_defaults(struct config *c, void *base, const char *where)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];
		struct value_why why;
		char path[80];

		if (strcmp(k->where, where) != 0)
			continue;
		config_key_path(k, path);
		if (k->form == CONFIG_MAP)
			config_defaults(c, base, path);
		else if (k->form == CONFIG_TEXT && !k->fallback)
			*(struct str *)((char *)base + k->at) = STR("");
		else if (k->fallback)
			(void)value_store(c, base, k, str_from(k->fallback),
					  &why); /* a test sees to it */
	}
}

struct config *config_new(void)
{
	struct config *c = mem_alloc(sizeof(*c));

	c->arena = arena_new(CONFIG_ARENA_MAX);
	config_defaults(c, c, "");
	return c;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	arena_free(c->arena);
	mem_free(c);
}

/* "/a/b/" is "/a/b", and "/" is nothing. */
static void normalise(struct config *c)
{
	struct str *s = &c->base_path;

	if (s->len && s->p[s->len - 1] == '/')
		*s = value_copy(c, str_n(s->p, s->len - 1));
}

/* Blank lines and comments: a file whose settings are all left out. */
static bool says_nothing(struct str text)
{
	while (text.p) {
		struct str line = str_trim(str_cut(&text, '\n'));

		if (line.len && line.p[0] != '#')
			return false;
	}
	return true;
}

int config_read(struct config *c, struct str text, enum doc_syntax syntax,
		struct problems *ps)
{
	size_t before = ps->n;
	struct doc *d;

	if (syntax != DOC_JSON && says_nothing(text))
		return 0;
	if (doc_parse(text, syntax, &d, ps))
		return -1;
	if (d->root->kind == DOC_MAP)
		take_map(c, c, d->root, "", ps);
	else if (!doc_is_null(d->root))
		problem_at(ps, d->root, "wrong-type", NULL,
			   "a map of settings is wanted, not %s",
			   doc_kind_name(d->root->kind));
	doc_free(d);
	normalise(c);
	problems_sort(ps);
	return ps->n > before ? -1 : 0;
}

int config_set(struct config *c, struct str path, struct str value,
	       struct err *e)
{
	const struct config_key *k = config_key_find(path);
	struct value_why why;
	size_t i;

	if (!k)
		return err_set(e, ERR_INVALID, "no setting " STR_FMT,
			       STR_ARG(path));
	i = (size_t)(k - config_keys);
	if (c->source[i] != CONFIG_OPTION)
		value_clear(c, k);
	c->source[i] = CONFIG_OPTION;
	c->at[i] = (struct doc_place){0, 0};
	if (value_store(c, c, k, value, &why)) {
		normalise(c);
		return 0;
	}
	return err_set(e, ERR_INVALID, "%s%s%s%s", why.text,
		       why.hint ? " (" : "", why.hint ? why.hint : "",
		       why.hint ? ")" : "");
}
