/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Trees: parsing by syntax, looking up, reading scalars; see doc.h. */
#include "doc/doc.h"
#include "doc/parse.h"
#include "doc/tree.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name, *ends[2], *types[3];
} syntaxes[] = {
	[DOC_YAML] = {"yaml",
		      {".yaml", ".yml"},
		      {"application/yaml", "application/x-yaml", "text/yaml"}},
	[DOC_JSON] = {"json",
		      {".json", NULL},
		      {"application/json", NULL, NULL}                       },
	[DOC_TOML] = {"toml",
		      {".toml", NULL},
		      {"application/toml", NULL, NULL}                       },
};

enum doc_syntax doc_syntax_of_name(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(syntaxes); i++)
		for (size_t k = 0; k < 2 && syntaxes[i].ends[k]; k++)
			if (str_ends(name, str_from(syntaxes[i].ends[k])))
				return (enum doc_syntax)i;
	return DOC_SYNTAX_UNKNOWN;
}

static bool same_word(struct str a, const char *b)
{
	return a.len == strlen(b) && !strncasecmp(a.p, b, a.len);
}

enum doc_syntax doc_syntax_of_type(struct str type)
{
	type = str_trim(str_cut(&type, ';'));
	for (size_t i = 0; i < ARRAY_LEN(syntaxes); i++) {
		if (same_word(type, syntaxes[i].name))
			return (enum doc_syntax)i;
		for (size_t k = 0; k < 3 && syntaxes[i].types[k]; k++)
			if (same_word(type, syntaxes[i].types[k]))
				return (enum doc_syntax)i;
	}
	return DOC_SYNTAX_UNKNOWN;
}

const char *doc_syntax_name(enum doc_syntax s)
{
	return (size_t)s < ARRAY_LEN(syntaxes) ? syntaxes[s].name : "unknown";
}

int doc_parse(struct str text, enum doc_syntax syntax, struct doc **ret,
	      struct problems *ps)
{
	return doc_parse_max(text, syntax, DOC_TEXT_MAX, ret, ps);
}

int doc_parse_max(struct str text, enum doc_syntax syntax, size_t max,
		  struct doc **ret, struct problems *ps)
{
	struct doc *d;
	int bad;

	if (!text.p) /* an empty body; libyaml asserts that there is one */
		text = STR("");
	if (tree_check_text(&text, max, ps))
		return -1;
	d = tree_doc_new(syntax);
	switch (syntax) {
	case DOC_YAML:
		bad = doc_parse_yaml(text, d, ps);
		break;
	case DOC_JSON:
		bad = doc_parse_json(text, d, ps);
		break;
	case DOC_TOML:
		bad = doc_parse_toml(text, d, ps);
		break;
	case DOC_SYNTAX_UNKNOWN:
	default:
		problem_add(ps, (struct doc_place){1, 1}, "unknown-syntax",
			    "jobs are YAML, JSON or TOML", "unknown syntax");
		bad = -1;
	}
	if (bad) {
		doc_free(d);
		return -1;
	}
	*ret = d;
	return 0;
}

void doc_free(struct doc *d)
{
	if (!d)
		return;
	arena_wipe(d->arena); /* a request may have had a secret in it */
	arena_free(d->arena);
	mem_free(d);
}

struct doc_node *doc_get_str(const struct doc_node *map, struct str key)
{
	if (!map || map->kind != DOC_MAP)
		return NULL;
	for (struct doc_node *n = map->first; n; n = n->next)
		if (str_eq(n->key, key))
			return n;
	return NULL;
}

struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
	return doc_get_str(map, str_from(key));
}

/* Is the part of a pointer (with ~1 for / and ~0 for ~) this key? */
static bool is_key(struct str part, struct str key)
{
	size_t k = 0;

	for (size_t i = 0; i < part.len; i++, k++) {
		char c = part.p[i];

		if (c == '~') {
			c = ++i < part.len ? part.p[i] : '\0';
			if (c != '0' && c != '1')
				return false;
			c = c == '0' ? '~' : '/';
		}
		if (k >= key.len || key.p[k] != c)
			return false;
	}
	return k == key.len;
}

static struct doc_node *child(const struct doc_node *n, struct str part)
{
	struct doc_node *k = n->first;
	uint64_t i;

	if (n->kind == DOC_MAP) {
		while (k && !is_key(part, k->key))
			k = k->next;
		return k;
	}
	if (n->kind != DOC_LIST || str_to_u64(part, UINT32_MAX, &i) ||
	    (part.len > 1 && part.p[0] == '0'))
		return NULL;
	while (k && i--)
		k = k->next;
	return k;
}

struct doc_node *doc_pointer(struct doc_node *root, struct str pointer)
{
	struct doc_node *n = root;

	if (!pointer.len)
		return root;
	if (pointer.p[0] != '/')
		return NULL;
	pointer = str_from_at(pointer, 1);
	while (n && pointer.p)
		n = child(n, str_cut(&pointer, '/'));
	return n;
}

bool doc_pointer_of(const struct doc_node *node, struct buf *b)
{
	if (!node || !node->parent)
		return true;
	doc_pointer_of(node->parent, b);
	if (node->parent->kind == DOC_LIST)
		return buf_printf(b, "/%" PRIu32, node->index);
	buf_putc(b, '/');
	for (size_t i = 0; i < node->key.len; i++) {
		char c = node->key.p[i];

		if (c == '~' || c == '/')
			buf_puts(b, c == '~' ? "~0" : "~1");
		else
			buf_putc(b, c);
	}
	return !b->failed;
}

const char *doc_kind_name(enum doc_kind k)
{
	static const char *const names[] = {
		[DOC_NULL] = "nothing",   [DOC_PLAIN] = "a plain value",
		[DOC_STRING] = "a text",  [DOC_INT] = "a number",
		[DOC_FLOAT] = "a number", [DOC_BOOL] = "a boolean",
		[DOC_TIME] = "a time",    [DOC_LIST] = "a list",
		[DOC_MAP] = "a map",
	};

	return names[k];
}

int doc_as_string(const struct doc_node *n, struct str *ret)
{
	if (!n || (n->kind != DOC_STRING && n->kind != DOC_PLAIN))
		return -1;
	*ret = n->text;
	return 0;
}

int doc_as_i64(const struct doc_node *n, int64_t *ret)
{
	struct str s, digits;

	if (!n || (n->kind != DOC_INT && n->kind != DOC_PLAIN))
		return -1;
	s = n->text;
	digits = str_starts(s, STR("-")) ? str_from_at(s, 1) : s;
	if (digits.len > 1 && digits.p[0] == '0')
		return -1;
	return str_to_i64(s, INT64_MIN, INT64_MAX, ret);
}

int doc_as_bool(const struct doc_node *n, bool *ret)
{
	if (!n || (n->kind != DOC_BOOL && n->kind != DOC_PLAIN))
		return -1;
	if (!str_is(n->text, "true") && !str_is(n->text, "false"))
		return -1;
	*ret = n->text.p[0] == 't';
	return 0;
}

bool doc_is_null(const struct doc_node *n)
{
	if (!n || n->kind == DOC_NULL)
		return true;
	return n->kind == DOC_PLAIN && (!n->text.len || str_is(n->text, "~") ||
					str_is(n->text, "null"));
}
