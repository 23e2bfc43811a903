/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Trees: looking up, reading scalars, building; see doc.h. */
#include "doc/doc.h"
#include "doc/parse.h"
#include "doc/tree.h"

#include <inttypes.h>
#include <stdio.h>
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

/* Undo ~1 and ~0 of RFC 6901; false when it does not fit. */
static bool unescape(struct str s, char *out, size_t max, size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '~' && i + 1 < s.len)
			c = s.p[++i] == '1' ? '/' : '~';
		if (n == max)
			return false;
		out[n++] = c;
	}
	*ret_len = n;
	return true;
}

struct doc_node *doc_pointer(struct doc_node *root, struct str pointer)
{
	struct doc_node *n = root;

	if (!pointer.len)
		return root;
	if (pointer.p[0] != '/')
		return NULL;
	pointer = str_from_at(pointer, 1);
	while (n && pointer.p) {
		struct str part = str_cut(&pointer, '/');
		char key[256];
		uint64_t i;
		size_t len;

		if (!unescape(part, key, sizeof(key), &len))
			return NULL;
		if (n->kind == DOC_MAP) {
			n = doc_get_str(n, str_n(key, len));
		} else if (n->kind == DOC_LIST &&
			   !str_to_u64(part, UINT32_MAX, &i)) {
			for (n = n->first; n && i; i--)
				n = n->next;
		} else {
			return NULL;
		}
	}
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

/* --- building ----------------------------------------------------------- */

struct doc *doc_new(void)
{
	struct doc *d = tree_doc_new(DOC_JSON);

	doc_add(d, NULL, str_n(NULL, 0), DOC_MAP, str_n(NULL, 0));
	return d;
}

struct doc_node *doc_add(struct doc *d, struct doc_node *parent, struct str key,
			 enum doc_kind kind, struct str text)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct tree t = {.doc = d, .ps = ps};
	bool keyed = parent && parent->kind == DOC_MAP;
	struct doc_node *n =
		tree_add(&t, parent, kind, text, (struct doc_place){0, 0},
			 keyed ? &key : NULL, (struct doc_place){0, 0});

	mem_free(ps);
	return n;
}

struct doc_node *doc_add_str(struct doc *d, struct doc_node *parent,
			     const char *key, struct str text)
{
	return doc_add(d, parent, str_from(key), DOC_STRING, text);
}

struct doc_node *doc_add_int(struct doc *d, struct doc_node *parent,
			     const char *key, int64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	return doc_add(d, parent, str_from(key), DOC_INT, str_from(text));
}

struct doc_node *doc_add_bool(struct doc *d, struct doc_node *parent,
			      const char *key, bool v)
{
	return doc_add(d, parent, str_from(key), DOC_BOOL,
		       v ? STR("true") : STR("false"));
}

struct doc_node *doc_add_map(struct doc *d, struct doc_node *parent,
			     const char *key)
{
	return doc_add(d, parent, str_from(key), DOC_MAP, str_n(NULL, 0));
}

struct doc_node *doc_add_list(struct doc *d, struct doc_node *parent,
			      const char *key)
{
	return doc_add(d, parent, str_from(key), DOC_LIST, str_n(NULL, 0));
}
