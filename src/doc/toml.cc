// SPDX-License-Identifier: AGPL-3.0-or-later
/*
 * TOML by toml++, behind one C-callable function: its keys and values carry
 * line and column.  Nesting is bounded before it parses (it recurses), and no
 * exception leaves this file.
 */
extern "C" {
#include "doc/parse.h"
#include "doc/tree.h"
}

#define TOML_EXCEPTIONS                 0
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace
{
struct doc_place place(const toml::source_position &p)
{
	return {static_cast<uint32_t>(p.line), static_cast<uint32_t>(p.column)};
}

struct str view(const std::string_view &s)
{
	return str_n(s.data(), s.size());
}

int walk(struct tree *t, struct doc_node *parent, const struct str *key,
	 struct doc_place key_at, const toml::node &n, unsigned depth);

std::string text_of(const toml::node &n)
{
	std::ostringstream out;

	if (const auto *v = n.as_floating_point())
		out << *v;
	else if (const auto *d = n.as_date())
		out << *d;
	else if (const auto *h = n.as_time())
		out << *h;
	else if (const auto *dt = n.as_date_time())
		out << *dt;
	return out.str();
}

/* TOML tables are unordered in toml++: put the entries back in the order of
 * the file. */
int walk_table(struct tree *t, struct doc_node *map, const toml::table &table,
	       unsigned depth)
{
	std::vector<std::pair<const toml::key *, const toml::node *>> entries;

	for (auto &&[k, v] : table)
		entries.emplace_back(&k, &v);
	std::stable_sort(entries.begin(), entries.end(),
			 [](const auto &a, const auto &b) {
				 return a.first->source().begin <
					b.first->source().begin;
			 });
	for (const auto &[k, v] : entries) {
		struct str key = view(k->str());

		if (walk(t, map, &key, place(k->source().begin), *v, depth))
			return -1;
	}
	return 0;
}

int add(struct tree *t, struct doc_node *parent, const struct str *key,
	struct doc_place key_at, const toml::node &n, enum doc_kind kind,
	struct str text)
{
	return tree_add(t, parent, kind, text, place(n.source().begin), key,
			key_at) ?
		       0 :
		       -1;
}

int walk(struct tree *t, struct doc_node *parent, const struct str *key,
	 struct doc_place key_at, const toml::node &n, unsigned depth)
{
	struct doc_place at = place(n.source().begin);

	if (depth > DOC_DEPTH_MAX) {
		problem_add(t->ps, at, "too-deep", nullptr,
			    "nested deeper than %d levels", DOC_DEPTH_MAX);
		return -1;
	}
	if (const auto *table = n.as_table()) {
		struct doc_node *map = tree_add(
			t, parent, DOC_MAP, str_n(nullptr, 0), at, key, key_at);

		return map ? walk_table(t, map, *table, depth + 1) : -1;
	}
	if (const auto *array = n.as_array()) {
		struct doc_node *list =
			tree_add(t, parent, DOC_LIST, str_n(nullptr, 0), at,
				 key, key_at);

		if (!list)
			return -1;
		for (const auto &item : *array)
			if (walk(t, list, nullptr, {0, 0}, item, depth + 1))
				return -1;
		return 0;
	}
	if (const auto *s = n.as_string()) {
		if (s->get().find('\0') != std::string::npos) {
			problem_add(t->ps, at, "nul", nullptr, "a NUL");
			return -1;
		}
		return add(t, parent, key, key_at, n, DOC_STRING,
			   view(s->get()));
	}
	if (const auto *i = n.as_integer()) {
		std::string text = std::to_string(i->get());

		return add(t, parent, key, key_at, n, DOC_INT, view(text));
	}
	if (const auto *b = n.as_boolean())
		return add(t, parent, key, key_at, n, DOC_BOOL,
			   b->get() ? STR("true") : STR("false"));
	std::string text = text_of(n);

	return add(t, parent, key, key_at, n,
		   n.is_floating_point() ? DOC_FLOAT : DOC_TIME, view(text));
}

/* Brackets that are open at once, outside of strings and comments; and the
 * dots of a key, which nest as well. */
int check_depth(struct str text, struct problems *ps)
{
	unsigned depth = 0, dots = 0;
	char quote = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (quote) {
			if (c == '\\' && quote == '"')
				i++;
			else if (c == quote || c == '\n')
				quote = 0;
			continue;
		}
		if (c == '"' || c == '\'')
			quote = c;
		else if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && depth)
			depth--;
		else if (c == '.')
			dots++;
		else if (c == '\n')
			dots = 0;
		if (depth > 2 * DOC_DEPTH_MAX || dots > 4 * DOC_DEPTH_MAX) {
			problem_add(ps, tree_place(text, i), "too-deep",
				    nullptr, "nested deeper than %d levels",
				    DOC_DEPTH_MAX);
			return -1;
		}
	}
	return 0;
}
} // namespace

extern "C" int doc_parse_toml(struct str text, struct doc *d,
			      struct problems *ps)
try {
	struct tree t = {};

	t.doc = d;
	t.ps = ps;
	if (check_depth(text, ps))
		return -1;
	toml::parse_result result =
		toml::parse(std::string_view(text.p ? text.p : "", text.len));
	if (!result) {
		const toml::parse_error &e = result.error();
		std::string what(e.description());

		problem_add(ps, place(e.source().begin), "toml-syntax", nullptr,
			    "%s", what.c_str());
		return -1;
	}
	return walk(&t, nullptr, nullptr, {0, 0}, result.table(), 1);
} catch (const std::exception &) {
	problem_add(ps, {1, 1}, "toml-syntax", nullptr, "not TOML");
	return -1;
}
